/* A drawing as a list of marks in pixels from the upper left corner, before it is known who draws it.
 *
 * Appending never fails at the call: `failed` says afterwards whether memory ran out. Zero-initialise; clear to free.
 *
 * Text is the derivation's letters as one types them, w^2_{1,3} = 0.5: ^ and _ raise and lower the next character or
 * what stands in braces; both after one letter stand above each other.
 */
#ifndef DT_CIRCUIT_DRAWING_H
#define DT_CIRCUIT_DRAWING_H

#include <stdbool.h>
#include <stddef.h>

typedef enum dt_ink { DT_INK_PLAIN, DT_INK_VALUE, DT_INK_GRADIENT, DT_INK_FAINT } dt_ink;

typedef enum dt_mark_kind {
    DT_MARK_WIRE,  /* x, y to x2, y2; size: line width */
    DT_MARK_GATE,  /* a circle around x, y; size: radius */
    DT_MARK_DOT,   /* the same, filled */
    DT_MARK_BOX,   /* corners x, y and x2, y2 */
    DT_MARK_LABEL, /* text beside x, y; size: of its letters */
} dt_mark_kind;

enum { DT_MARK_TEXT = 192 };

typedef struct dt_mark {
    dt_mark_kind kind;
    dt_ink ink;
    double x, y, x2, y2, size;
    bool arrow;              /* wire: a head at its end */
    bool plain;              /* label: ^ and _ are just characters */
    double angle;            /* label: degrees, anticlockwise */
    char text[DT_MARK_TEXT]; /* label: starts at x, y, which is in the middle of its height */
} dt_mark;

typedef struct dt_drawing {
    double width, height;
    dt_mark *marks;
    size_t count, room;
    bool failed;
} dt_drawing;

void dt_drawing_clear(dt_drawing *drawing);

void dt_drawing_wire(dt_drawing *drawing, double x, double y, double x2, double y2, double size, dt_ink ink,
                     bool arrow);
void dt_drawing_gate(dt_drawing *drawing, double x, double y, double radius, const char *text);
void dt_drawing_dot(dt_drawing *drawing, double x, double y, double radius);
void dt_drawing_box(dt_drawing *drawing, double x, double y, double x2, double y2);

/* Where x is on the label: at its left end (0), middle (0.5) or right end (1). */
void dt_drawing_label(dt_drawing *drawing, double x, double y, double where, double size, double angle, dt_ink ink,
                      const char *text);

/* The same, level, for text that may come from outside: ^ and _ are just characters. */
void dt_drawing_words(dt_drawing *drawing, double x, double y, double where, double size, dt_ink ink, const char *text);

/* --- letters --- */

/* One run of text in one size. x from the start of the label, y down from its middle. */
typedef struct dt_piece {
    double x, y, size;
    const char *text; /* length bytes of the label's own text */
    size_t length;
} dt_piece;

enum { DT_PIECES_MAX = 32 };

/* Takes a text apart; returns the number of pieces. *width: of all, as set in Verdana, whose widths are those of DejaVu
 * Sans. Either may be NULL. */
size_t dt_letters(const char *text, double size, dt_piece pieces[DT_PIECES_MAX], double *width);

double dt_letters_width(const char *text, double size);
double dt_words_width(const char *text, double size);

/* A number in that many significant digits (at most 6), with a minus sign that is as wide as a plus. */
enum { DT_NUMBER_TEXT = 24 };
void dt_letters_number(char text[DT_NUMBER_TEXT], double value, int digits);

#endif
