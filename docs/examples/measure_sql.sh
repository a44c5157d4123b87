#!/usr/bin/env bash
# Time and peak memory of three typical queries: docs/examples/measure_sql.sh STORE... (GNU time)
set -euo pipefail
queries=(
    "SELECT venue, year, variable, count(*) AS n, avg((label = 'Yes')::INT) AS share FROM verdicts GROUP BY ALL"
    "SELECT venue, year, researcher_affiliation, count(*) AS n, avg(documentation_score) AS score
     FROM judged_papers WHERE research_type = 'Experimental' GROUP BY ALL"
    "SELECT p.paper_id, p.title FROM papers p JOIN verdicts v USING (venue, year, paper_id)
     WHERE venue = 'ICML' AND year = 2020 AND variable = 'open_source_code' AND label = 'No'"
)
names=("shares by edition and variable" "scores by edition and affiliation" "papers of one edition without code")
for store in "$@"; do
    for i in "${!queries[@]}"; do
        /usr/bin/time -f "$store  ${names[i]}: %e s, %U + %S s of processor, %M KiB" \
            reprocensus sql "${queries[i]}" --store "$store" --csv >/dev/null
    done
done
