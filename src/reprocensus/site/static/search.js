// Search on a site of static files: see search/static_index.py for what the files hold.
"use strict";
{
  const WEIGHTS = [1, 1.5, 6, 10];
  const EDITION = 6;
  const OPEN = 0.7;
  const MAX_WORDS = 12;
  const MAX_LETTERS = 40;
  const PAGE = 10;
  /** So many files of words are read for a word's beginning. */
  const FILES = 3;
  /** Shorter beginnings are taken as words: too many begin so. */
  const SHORTEST = 3;

  const fold = (text) => text.normalize("NFKD").replace(/\p{M}+/gu, "").toLowerCase();
  const wordsOf = (text) => (fold(text).match(/[\p{L}\p{N}]+/gu) ?? []).map((w) => [...w].slice(0, MAX_LETTERS).join(""));
  const queryWords = (query) => [...new Set(wordsOf(query.slice(0, 400)))].slice(0, MAX_WORDS);
  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };

  /** By code points, as Python and Rust order strings; JavaScript's own order differs beyond U+FFFF. */
  const before = (a, b) => {
    const left = [...a];
    const right = [...b];
    for (let at = 0; at < left.length && at < right.length; at += 1) {
      if (left[at] !== right[at]) return left[at].codePointAt(0) - right[at].codePointAt(0);
    }
    return left.length - right.length;
  };

  class Index {
    #base;
    #files = new Map();

    constructor(base) { this.#base = base; }

    async open() {
      this.about = await this.#get("index.bin");
      this.common = new Set(this.about.common);
      return this;
    }

    #get(name) {
      if (!this.#files.has(name)) {
        const wanted = fetch(this.#base + name).then((answer) => {
          if (!answer.ok) throw new Error(`${name}: status ${answer.status}`);
          return unzipped(answer);
        });
        wanted.catch(() => this.#files.delete(name));
        this.#files.set(name, wanted);
      }
      return this.#files.get(name);
    }

    /** Number of the file that would hold a word. */
    #fileOf(word) {
      const firsts = this.about.words;
      let low = 0;
      let high = firsts.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (before(firsts[middle], word) <= 0) low = middle + 1; else high = middle;
      }
      return Math.max(0, low - 1);
    }

    /** Paper -> weight, for a word or, where `open`, for all words that begin so. */
    async papersOf(word, last) {
      const open = last && [...word].length >= SHORTEST;
      const { words: firsts, stamp, papers: total } = this.about;
      const found = new Map();
      if (!firsts.length) return found;
      const first = this.#fileOf(word);
      let end = first;
      while (open && end + 1 < firsts.length && end - first < FILES - 1 && firsts[end + 1].startsWith(word)) end += 1;
      const files = await Promise.all(
        Array.from({ length: end - first + 1 }, (_, n) => this.#get(`words-${stamp}-${first + n}.bin`)));
      for (const [words, lists] of files) {
        for (const [at, other] of words.entries()) {
          if (other !== word && !(open && other.startsWith(word))) continue;
          const places = unpack(lists[at]);
          const rarity = Math.log(1 + total / places.length) * (other === word ? 1 : OPEN);
          for (const [paper, kind] of places) {
            found.set(paper, Math.max(found.get(paper) ?? 0, rarity * WEIGHTS[kind]));
          }
        }
      }
      for (const [begin, end] of this.rangesOf(word)) {
        for (let paper = begin; paper < end; paper += 1) found.set(paper, Math.max(found.get(paper) ?? 0, EDITION));
      }
      return found;
    }

    /** Where the papers of editions lie that a word names: a venue or a year. */
    rangesOf(word) {
      return this.ranges((venue, year) => String(year) === word || wordsOf(venue).includes(word));
    }

    ranges(wanted) {
      const { editions, papers } = this.about;
      return editions.flatMap(([venue, year, start], at) =>
        wanted(venue, year) ? [[start, editions[at + 1]?.[2] ?? papers]] : []);
    }

    /** Papers with all words, the best first. */
    async search(query, venue, year) {
      const words = queryWords(query);
      if (!words.length) return { words, papers: [] };
      const found = await Promise.all(words.map((word, at) => this.papersOf(word, at === words.length - 1)));
      const must = found.filter((_, at) => !this.common.has(words[at]));
      const [least, ...rest] = (must.length ? must : found).toSorted((a, b) => a.size - b.size);
      const ranges = this.ranges((v, y) => (!venue || v === venue) && (!year || String(y) === year));
      const within = (paper) => ranges.some(([begin, end]) => begin <= paper && paper < end);
      const papers = [...least.keys()].filter((paper) => rest.every((other) => other.has(paper)) && within(paper));
      const score = new Map(papers.map((paper) => [paper, found.reduce((sum, one) => sum + (one.get(paper) ?? 0), 0)]));
      papers.sort((a, b) => score.get(b) - score.get(a) || a - b);
      return { words, papers };
    }

    async paper(number) {
      const { block, editions } = this.about;
      const [venue, year, start, stamp] = editions.findLast(([, , start]) => start <= number);
      const papers = await this.#get(`papers-${stamp}-${Math.floor((number - start) / block)}.bin`);
      const [title, authors, address, passages] = papers[(number - start) % block];
      return { title, authors, address, passages, edition: `${venue} ${year}` };
    }
  }

  /** The JSON in a gzip file; a server may have taken it out of the gzip already. */
  const unzipped = async (answer) => {
    const blob = await answer.blob();
    const [one, two] = new Uint8Array(await blob.slice(0, 2).arrayBuffer());
    const stream = blob.stream();
    return new Response(one === 0x1f && two === 0x8b ? stream.pipeThrough(new DecompressionStream("gzip")) : stream).json();
  };

  /** Papers and kinds of places from base64. */
  const unpack = (text) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const places = [];
    let paper = 0;
    let value = 0;
    let factor = 1;
    for (const byte of bytes) {
      value += (byte & 127) * factor;
      if (byte & 128) {
        factor *= 128;
      } else {
        paper += Math.floor(value / 4);
        places.push([paper, value % 4]);
        value = 0;
        factor = 1;
      }
    }
    return places;
  };

  const matches = (word, words) => words.includes(word) || word.startsWith(words.at(-1));

  /** The text as nodes, with the words that match marked. */
  const marked = (text, words) => {
    const nodes = [];
    let at = 0;
    for (const found of text.matchAll(/[\p{L}\p{N}](?:[\p{L}\p{N}\p{M}])*/gu)) {
      if (!matches(fold(found[0]), words)) continue;
      nodes.push(text.slice(at, found.index), make("mark", {}, found[0]));
      at = found.index + found[0].length;
    }
    return [...nodes, text.slice(at)];
  };

  const BEFORE = 80;
  const LONGEST = 300;
  const snippet = (text, words) => {
    if (text.length <= LONGEST) return marked(text, words);
    const hit = [...text.matchAll(/[\p{L}\p{N}](?:[\p{L}\p{N}\p{M}])*/gu)].find((f) => matches(fold(f[0]), words));
    let start = Math.max(0, Math.min((hit?.index ?? 0) - BEFORE, text.length - LONGEST));
    if (start) start = text.indexOf(" ", start) + 1 || start;
    let cut = text.slice(start, start + LONGEST);
    const ends = start + LONGEST < text.length;
    if (ends && cut.lastIndexOf(" ") > BEFORE) cut = cut.slice(0, cut.lastIndexOf(" "));
    return [start ? "… " : "", ...marked(cut, words), ends ? " …" : ""];
  };

  const SNIPPETS = 2;
  /** Of a paper's passages those in which most of the words stand. */
  const best = (passages, words) => {
    const counted = passages.map(([variable, label, page, text]) => {
      const there = new Set(wordsOf(text));
      const hits = words.filter((word, at) =>
        there.has(word) || (at === words.length - 1 && [...there].some((other) => other.startsWith(word)))).length;
      return { variable, label, page, text, hits };
    });
    return counted.filter((one) => one.hits).toSorted((a, b) => b.hits - a.hits).slice(0, SNIPPETS);
  };
  const variableWords = (name) => name.replaceAll("_", " ").replace(/(^|\s)\p{L}/gu, (c) => c.toUpperCase());

  const variableLabel = (label) => label.replaceAll("_", " ").replace(/^\p{Ll}/u, (c) => c.toUpperCase());

  const start = async (place) => {
    const root = document.body.dataset.root ?? "";
    const form = document.querySelector("form.search");
    const [query, venue, year] = ["q", "venue", "year"].map((name) => form.elements[name]);
    const status = document.querySelector("#found");
    const list = document.querySelector("ol.hits");
    const more = make("button", { type: "button", class: "more" }, "Show more");
    more.hidden = true;
    list.after(more);
    // Readers type while it is on its way.
    const opened = new Index(place).open();
    let turn = 0;
    let now = { words: [], papers: [] };
    let shown = 0;

    const item = (paper, words) => {
      const link = make("a", { href: root + paper.address, dir: "auto" }, ...marked(paper.title, words));
      // Where title and authors do not explain a hit, the evidence does.
      const there = new Set(wordsOf(`${paper.title} ${paper.authors} ${paper.edition}`));
      const told = words.every((word) => there.has(word)) ? [] : best(paper.passages, words);
      return make("li", { class: "hit" },
        make("h3", {}, link),
        make("p", { class: "by" }, ...marked(paper.authors, words), paper.authors ? " · " : "", paper.edition),
        ...told.map(({ variable, label, page, text }) => make("p", { class: "snippet", dir: "auto" },
          make("b", {}, `${variableWords(variable)}: ${variableLabel(label)}`),
          page ? ` (page ${page}) ` : " ", make("q", {}, ...snippet(text, words)))));
    };
    const showMore = async (mine) => {
      const numbers = now.papers.slice(shown, shown + PAGE);
      const index = await opened;
      const papers = await Promise.all(numbers.map((number) => index.paper(number)));
      if (mine !== turn) return;
      list.append(...papers.map((paper) => item(paper, now.words)));
      shown += numbers.length;
      more.hidden = shown >= now.papers.length;
    };
    const run = async () => {
      turn += 1;
      const mine = turn;
      const wanted = new URLSearchParams();
      for (const field of [query, venue, year]) if (field.value) wanted.set(field.name, field.value);
      history.replaceState(null, "", wanted.size ? `?${wanted}` : location.pathname);
      try {
        const found = await (await opened).search(query.value, venue.value, year.value);
        if (mine !== turn) return;
        now = found;
        shown = 0;
        list.replaceChildren();
        more.hidden = true;
        const count = found.papers.length;
        status.textContent = !found.words.length ? "" :
          count === 0 ? "No paper has all of these words." : count === 1 ? "1 paper" : `${count.toLocaleString("en")} papers`;
        if (count) await showMore(mine);
      } catch {
        if (mine === turn) status.textContent = "The search index could not be loaded; try again.";
      }
    };

    const given = new URLSearchParams(location.search);
    for (const field of [query, venue, year]) field.value = given.get(field.name) ?? field.value;
    let wait = 0;
    query.addEventListener("input", () => {
      clearTimeout(wait);
      wait = setTimeout(run, 150);
    });
    for (const field of [venue, year]) field.addEventListener("change", run);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void run();
    });
    more.addEventListener("click", async () => {
      const first = shown;
      await showMore(turn);
      list.children[first]?.querySelector("a")?.focus();
    });
    if (query.value) await run();
    await opened;
  };

  const place = document.querySelector("main [data-index]")?.dataset.index;
  if (place) {
    start(place).catch(() => {
      document.querySelector("#found").textContent = "The search index could not be loaded; reload the page.";
    });
  }
}
