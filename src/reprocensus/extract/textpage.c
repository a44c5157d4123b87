/* The lines of a MuPDF text page as one MessagePack value; `lines.py` says what it holds.
 *
 * Reads MuPDF's own structs by the headers that PyMuPDF brings along, so it serves only the very version that
 * it was built with: `textpage_version` says which. Calls nothing of MuPDF, and writes nothing to its structs.
 */

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mupdf/fitz.h"

#define NEAR_WHITE 0xe8
/* A type is sought among as many of the last: a page may have a hundred thousand, and must not take forever. */
#define RECENT 64

/* What is written; past `room` only counted. */
typedef struct
{
	unsigned char *at;
	size_t room, length;
} writer;

/* What a run is set in. Fonts are told apart by their address. */
typedef struct
{
	const fz_font *font;
	float size;
	int high;
} type;

/* The page's types, and what the line's and the page's colours say. `failed`: no memory was left. */
typedef struct
{
	type *types;
	int count, room, failed;
	int light, clear;
} styles;

static void
put(writer *out, unsigned char byte)
{
	if (out->length < out->room)
		out->at[out->length] = byte;
	out->length++;
}

static void
put_32(writer *out, uint32_t value)
{
	put(out, value >> 24);
	put(out, value >> 16);
	put(out, value >> 8);
	put(out, value);
}

/* Something of 32 bits, after the byte that says what it is. Returns where the bits stand, to change them. */
static size_t
put_tagged(writer *out, unsigned char tag, uint32_t value)
{
	put(out, tag);
	put_32(out, value);
	return out->length - 4;
}

static void
change(writer *out, size_t at, uint32_t value)
{
	writer part = { out->at, out->room, at };
	put_32(&part, value);
}

static void
put_integer(writer *out, int value)
{
	put_tagged(out, 0xd2, (uint32_t)value);
}

static void
put_truth(writer *out, int value)
{
	put(out, value ? 0xc3 : 0xc2);
}

static void
put_float(writer *out, float value)
{
	uint32_t bits;
	memcpy(&bits, &value, sizeof bits);
	put_tagged(out, 0xca, bits);
}

/* In UTF-8; what is no character of Unicode becomes U+FFFD. */
static void
put_character(writer *out, int c)
{
	if (c < 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		c = 0xfffd;
	if (c < 0x80)
	{
		put(out, c);
		return;
	}
	if (c < 0x800)
		put(out, 0xc0 | c >> 6);
	else
	{
		if (c < 0x10000)
			put(out, 0xe0 | c >> 12);
		else
		{
			put(out, 0xf0 | c >> 18);
			put(out, 0x80 | (c >> 12 & 0x3f));
		}
		put(out, 0x80 | (c >> 6 & 0x3f));
	}
	put(out, 0x80 | (c & 0x3f));
}

static void
put_text(writer *out, const fz_stext_char *from, const fz_stext_char *end)
{
	size_t place = put_tagged(out, 0xdb, 0), start = out->length;
	for (; from != end; from = from->next)
		put_character(out, from->c);
	change(out, place, (uint32_t)(out->length - start));
}

/* Names are bytes of the PDF's choice: what is not ASCII becomes a question mark. */
static void
put_name(writer *out, const char *name)
{
	size_t length = strlen(name);
	put_tagged(out, 0xdb, (uint32_t)length);
	while (length--)
	{
		put(out, (*name & 0x80) ? '?' : *name);
		name++;
	}
}

/* The number of a type among the page's, which becomes one of them. */
static int
number_of(styles *known, const fz_font *font, float size, int high)
{
	int last = known->count - RECENT;
	for (int at = known->count - 1; at >= 0 && at >= last; at--)
	{
		const type *it = &known->types[at];
		if (it->font == font && it->size == size && it->high == high)
			return at;
	}
	if (known->count == known->room)
	{
		int room = known->room ? 2 * known->room : RECENT;
		type *types = realloc(known->types, room * sizeof *types);
		if (!types)
		{
			known->failed = 1;
			return 0;
		}
		known->types = types;
		known->room = room;
	}
	known->types[known->count] = (type){ font, size, high };
	return known->count++;
}

/* Points in whole hundredths, cut off; what is beyond all pages lies at the lower end, as in MuPDF's JSON. */
static int
hundredths(float points)
{
	float scaled = points * 100;
	return scaled > -0x1p31f && scaled < 0x1p31f ? (int)scaled : INT_MIN;
}

static void
put_type(writer *out, const type *it)
{
	put(out, 0x96);
	put_name(out, it->font->name);
	put_truth(out, it->font->flags.is_bold);
	put_truth(out, it->font->flags.is_mono);
	put_integer(out, hundredths(it->size));
	put_float(out, it->size);
	put_truth(out, it->high);
}

/* Higher than the line's first character by a tenth of its size: as MuPDF's own HTML tells superscripts. */
static int
is_high(const fz_stext_line *line, const fz_stext_char *ch)
{
	if (line->wmode != 0 || line->dir.x != 1 || line->dir.y != 0)
		return 0;
	return ch->origin.y < line->first_char->origin.y - ch->size * 0.1f;
}

static int
is_light(uint32_t argb)
{
	return (argb >> 16 & 0xff) >= NEAR_WHITE && (argb >> 8 & 0xff) >= NEAR_WHITE && (argb & 0xff) >= NEAR_WHITE;
}

static void
note_colour(styles *known, uint32_t argb)
{
	if (!(argb >> 24))
		known->clear = 1;
	if (is_light(argb))
		known->light = 1;
}

/* The runs of one type and colour; nothing where the whole line is one. */
static void
put_runs(writer *out, styles *known, const fz_stext_line *line)
{
	const fz_stext_char *start = line->first_char, *ch = start;
	size_t place = 0;
	uint32_t count = 0;
	while (start)
	{
		int high = is_high(line, start);
		note_colour(known, start->argb);
		for (ch = start->next; ch; ch = ch->next)
			if (ch->font != start->font || ch->size != start->size || ch->argb != start->argb || is_high(line, ch) != high)
				break;
		if (!ch && !count)
			break;
		if (!count++)
			place = put_tagged(out, 0xdd, 0);
		put(out, 0x92);
		put_text(out, start, ch);
		put_integer(out, number_of(known, start->font, start->size, high));
		start = ch;
	}
	if (count)
		change(out, place, count);
	else
		put(out, 0xc0);
}

static void
put_line(writer *out, styles *known, const fz_stext_line *line, int block)
{
	const fz_stext_char *first = line->first_char;
	const fz_rect *box = &line->bbox;
	put(out, 0x9a);
	put_integer(out, block);
	put_text(out, first, NULL);
	put_integer(out, hundredths(box->x0));
	put_integer(out, hundredths(box->y0));
	put_integer(out, hundredths(box->x1 - box->x0));
	put_integer(out, hundredths(box->y1 - box->y0));
	put_integer(out, hundredths(first->origin.y));
	put_integer(out, number_of(known, first->font, first->size, 0));
	known->light = 0;
	put_runs(out, known, line);
	put_truth(out, known->light);
}

/* The version of MuPDF that the headers are of, and the digest of this file, which the build gives. */
const char *
textpage_version(void)
{
	return FZ_VERSION "+" TEXTPAGE_SOURCE;
}

/* Writes `[lines, types, clear]` and returns its length in bytes, also where that is more than `room`.
 * Returns 0 where no memory is left. */
size_t
textpage_write(const fz_stext_page *page, unsigned char *at, size_t room)
{
	writer out = { at, room, 0 };
	styles known = { 0 };
	uint32_t count = 0;
	int number = 0;
	put(&out, 0x93);
	size_t place = put_tagged(&out, 0xdd, 0);
	for (const fz_stext_block *block = page->first_block; block && !known.failed; block = block->next)
	{
		if (block->type != FZ_STEXT_BLOCK_TEXT)
			continue;
		for (const fz_stext_line *line = block->u.t.first_line; line; line = line->next)
			if (line->first_char)
			{
				put_line(&out, &known, line, number);
				count++;
			}
		number++;
	}
	change(&out, place, count);
	put_tagged(&out, 0xdd, (uint32_t)known.count);
	for (int at_type = 0; at_type < known.count; at_type++)
		put_type(&out, &known.types[at_type]);
	put_truth(&out, known.clear);
	free(known.types);
	return known.failed ? 0 : out.length;
}
