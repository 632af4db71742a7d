/* boundary.h — what JavaScript calls. Every argument and result is a 32-bit number: an address in the
 * heap, a count, a status or a float, because 64-bit integers and structs do not cross the boundary.
 *
 * One pique_js is one visitor: a context, at most one open model, and its session. Answers that are
 * more than one number stand in the words of pique_js_out() until the next call. Texts are UTF-8 and
 * belong to the core. */
#ifndef PIQUE_BOUNDARY_H
#define PIQUE_BOUNDARY_H

#include "pique.h"

typedef struct pique_js pique_js;

/* Words of pique_js_out(). */
enum { PIQUE_JS_OUT_WORDS = 4 };

/* Bits of the flags of pique_js_recommend. */
enum { PIQUE_JS_EXCLUDE_SEEN = 1, PIQUE_JS_EXPLAIN = 2 };

/* NULL when memory is short. */
pique_js *pique_js_create(void);
void pique_js_free(pique_js *js);

void *pique_js_alloc(pique_js *js, uint32_t size);
void pique_js_release(pique_js *js, void *block);

const uint32_t *pique_js_out(const pique_js *js);
/* The last failure's message, terminated. */
const char *pique_js_error(const pique_js *js);
const char *pique_js_isa(const pique_js *js);

/* 1 when this engine computes the known answers, else 0. Needs no pique_js (see selftest.c). */
int32_t pique_js_self_test(void);

/* out[0]: size of the whole container, 0 while more than `count` bytes are needed. */
int32_t pique_js_model_size(pique_js *js, const void *bytes, uint32_t count);
/* Takes `bytes` (of pique_js_alloc) over, also on failure. One model per pique_js. filled < size: the head
 * of a file of blocks. */
int32_t pique_js_model_open(pique_js *js, void *bytes, uint32_t size, uint32_t filled);

/* The following need an open model. Texts: the address is returned, the length is out[0]. */
const char *pique_js_info(pique_js *js);
/* The blocks of the file: out[0] of them, five words each as in pique_block. out[1]: 1 when item 1 can stand in a
 * history: before its row has come, any can. */
const pique_block *pique_js_blocks(pique_js *js);
/* The rows of a block, which are copied. */
int32_t pique_js_put_block(pique_js *js, uint32_t block, const void *rows, uint32_t size);
/* After pique_js_query. out[0]: how near each block is, floats. */
int32_t pique_js_near(pique_js *js);
/* 1 when the model can recommend from the whole catalogue, 0 when it only ranks. */
int32_t pique_js_retrieves(const pique_js *js);
uint32_t pique_js_find_item(const pique_js *js, const char *id, uint32_t length);
const char *pique_js_item_id(pique_js *js, uint32_t item);
/* The profile of the queries that follow, until the next call: raw values, three words each: address, length, field.
 * They are not looked at afterwards. out[0]: of how many fields something is known. */
int32_t pique_js_profile(pique_js *js, const pique_value *values, uint32_t count);

/* Begins a query: room for the numbers of the history (oldest first), then of the items to leave
 * out, all uint32. The caller writes them there and calls one of the functions below, as often as it
 * likes. NULL: no memory. */
uint32_t *pique_js_query(pique_js *js, uint32_t history_count, uint32_t exclude_count);

/* After pique_js_query: room for the times of the history, a double each, in seconds, which the caller writes.
 * Without this call they are not known. NULL: no memory. */
double *pique_js_times(pique_js *js);

/* Lets `ranker` put in order what pique_js_recommend retrieves for this query, until the next one begins:
 * another pique_js, with an open model and a query of its own for the same person (history and profile).
 * `retrieve`: how many items it is given. */
void pique_js_rank_by(pique_js *js, pique_js *ranker, uint32_t retrieve);

/* After pique_js_query: room for a bit of every item, all 0; the caller sets (bit item % 8 of byte item / 8) those
 * to leave out. NULL: no memory. */
uint8_t *pique_js_filter(pique_js *js);
/* Which categories each item has in a column: codes[item * each] and further ones, 0 of none. out[0]: each. */
const uint8_t *pique_js_categories(pique_js *js, uint32_t column);
/* After pique_js_query: the items nearest to one, as pique_js_recommend gives them. */
int32_t pique_js_similar(pique_js *js, uint32_t item, uint32_t count, uint32_t flags);

/* out[0]: address of the list, out[1]: its length, out[2]: how many items were left out because the
 * ranker does not know them. A row is ten words: item, score (float), winning interest, number of reasons,
 * three reasons (items), their three shares (float). */
int32_t pique_js_recommend(pique_js *js, uint32_t count, uint32_t flags, float diversity,
                           uint32_t category);
/* out[0]: interests [live, width] of floats, out[1]: shares [live, behaviours looked at], out[2]: live,
 * out[3]: index of the first history item that the model looked at. */
int32_t pique_js_interests(pique_js *js);
/* Scores the query's items to leave out as candidates. out[0]: their scores, floats in their order. */
int32_t pique_js_rank(pique_js *js);

#endif
