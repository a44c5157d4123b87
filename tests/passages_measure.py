"""How many quotes of a store are found on their pages, and what their pictures and marked PDFs cost.

Found: 95 % of a quote's letters are placed. Read back: nearly every stretch of ten letters of a quote stands
in the words under its annotation, as MuPDF reads them from the saved PDF.

    python tests/passages_measure.py STORE [--limit N]
"""

import argparse
import statistics
import time
from collections.abc import Sequence

from reprocensus.passages import Mark
from reprocensus.passages.pdf import Marker
from reprocensus.passages.places import letters_of
from reprocensus.schemas import load_variables
from reprocensus.settings import load_settings
from reprocensus.site.evidence import evidence_marks
from reprocensus.storage import open_storage
from reprocensus.tables import Tables
from test_passages import holds, letters_under_marks


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("store", help="a store whose papers were judged, with their PDFs")
    asked.add_argument("--limit", type=int, help="so many papers [default: all]")
    given = asked.parse_args()
    tables, variables = Tables(open_storage(given.store, load_settings())), load_variables()
    shares: list[float] = []
    read_back: list[bool] = []
    picture_ms: list[float] = []
    sizes: list[float] = []
    marked_ms: list[float] = []
    growth: list[float] = []
    verdicts = tables.scan("verdicts")
    for document in tables.scan("documents").head(given.limit or 10**9).iter_rows(named=True):
        own = verdicts.filter(paper_id=document["paper_id"]).to_dicts()
        marks = evidence_marks(variables, own, document, document["text"])
        # Told apart by the subject of their annotations.
        numbered = [_named(mark, str(number)) for number, mark in enumerate(marks.values())]
        data = tables.storage.read(f"objects/pdf/{document['pdf_sha256']}.pdf")
        with Marker(data) as marker:
            for mark in numbered:
                started = time.process_time()
                picture = marker.picture(mark)
                picture_ms.append(1000 * (time.process_time() - started))
                shares.append(marker.place(mark).share)
                sizes += [len(picture.data)] if picture else []
            started = time.process_time()
            out = marker.marked(numbered)
            marked_ms.append(1000 * (time.process_time() - started))
        growth.append(len(out) / len(data))
        under = letters_under_marks(out)
        read_back += [holds(under.get(mark.title, ""), letters_of(mark.text)) for mark in numbered]
    found = sum(share >= 0.95 for share in shares) / len(shares)
    print(f"{len(shares)} quotes, found {found:.4f}, read back {sum(read_back) / len(read_back):.4f}")
    print(f"a picture: CPU ms {_spread(picture_ms)}; bytes {_spread(sizes)}; none {len(shares) - len(sizes)}")
    print(f"a marked PDF: CPU ms {_spread(marked_ms)}; size to the original's {_spread(growth)}")


def _named(mark: Mark, name: str) -> Mark:
    return Mark(mark.text, mark.page, mark.before, mark.after, mark.colour, name, mark.label, mark.note)


def _spread(values: Sequence[float]) -> str:
    ordered = sorted(values)
    high = ordered[int(0.95 * (len(ordered) - 1))]
    return f"median {statistics.median(ordered):.4g}, 95th percentile {high:.4g}"


if __name__ == "__main__":
    main()
