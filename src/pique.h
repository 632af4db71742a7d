/* pique.h — recommendations on the device: open a model file, turn a history into interests, score
 * the catalogue, explain. The same functions serve native programs and WebAssembly.
 *
 * Memory: everything a context makes is allocated through its allocator. `_free` takes NULL.
 * Threads: a context, and whatever was made on it, belongs to one thread at a time. An open model of which
 * all rows are there is immutable, so sessions on different contexts may use the same model at the same time. A thread needs
 * 256 KB of stack: parts of matrices are copied there.
 * Errors: every function that can fail returns a status; pique_error(ctx) says what and why. */
#ifndef PIQUE_H
#define PIQUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PIQUE_VERSION_TEXT "0.1.0"

#if defined(_WIN32)
#define PIQUE_API
#elif defined(__GNUC__)
#define PIQUE_API __attribute__((visibility("default")))
#else
#define PIQUE_API
#endif

#if defined(__GNUC__)
#define PIQUE_CHECKED __attribute__((warn_unused_result))
#else
#define PIQUE_CHECKED
#endif

/* Codes are pinned: a program may store them. */
#define PIQUE_STATUS_MAP(X)                                                                        \
    X(OK, 0, "success")                                                                            \
    X(NO_MEMORY, -1, "out of memory")                                                              \
    X(ARGUMENT, -2, "invalid argument")                                                            \
    X(CORRUPT, -3, "not a valid model file")                                                       \
    X(VERSION, -4, "made by an incompatible version")                                              \
    X(UNSUPPORTED, -5, "not supported")                                                            \
    X(IO, -6, "input or output failed")                                                            \
    X(DATA, -7, "invalid data")                                                                    \
    X(NUMERIC, -8, "numbers out of range")                                                         \
    X(CANCELLED, -9, "cancelled")                                                                  \
    X(INTERNAL, -10, "internal error")

typedef enum {
#define X(name, code, text) PIQUE_##name = (code),
    PIQUE_STATUS_MAP(X)
#undef X
} pique_status;

typedef struct pique_context pique_context;
typedef struct pique_model pique_model;
typedef struct pique_session pique_session;

/* realloc in one function: block NULL allocates, size 0 frees and returns NULL. Returned blocks are
 * aligned for any type. */
typedef struct {
    void *(*resize)(void *user, void *block, size_t size);
    void *user;
} pique_allocator;

/* allocator NULL: the C library's. */
PIQUE_API PIQUE_CHECKED pique_status pique_context_create(const pique_allocator *allocator,
                                                          pique_context **out);
PIQUE_API void pique_context_free(pique_context *ctx);

/* The message of the last failure on this context, "" when there was none. */
PIQUE_API const char *pique_error(const pique_context *ctx);
PIQUE_API const char *pique_status_text(pique_status status);

/* Instruction set of the kernels: "scalar", "v128", "avx2" (where the CPU has AVX2, FMA and F16C),
 * "avx512" (where it has AVX-512 F, BW, DQ and VL), "avx512vnni" (and VNNI), or "best". Results of one set are the same on every machine that has it. */
PIQUE_API PIQUE_CHECKED pique_status pique_context_set_isa(pique_context *ctx, const char *name);
PIQUE_API const char *pique_context_isa(const pique_context *ctx);

/* A block from the context's allocator: for the bytes handed to pique_model_open. */
PIQUE_API void *pique_alloc(pique_context *ctx, size_t size);
PIQUE_API void pique_release(pique_context *ctx, void *block);

/* The size of a whole model file (not compressed) from its first `count` bytes: 0 while more bytes
 * are needed. PIQUE_CORRUPT when these bytes cannot begin one. */
PIQUE_API PIQUE_CHECKED pique_status pique_model_size(pique_context *ctx, const void *bytes,
                                                      size_t count, size_t *total);

/* Opens a model from `size` bytes of the uncompressed container. `bytes` came from pique_alloc and
 * now belongs to the model, also on failure. The item table is interleaved in place for the scan. */
PIQUE_API PIQUE_CHECKED pique_status pique_model_open(pique_context *ctx, void *bytes, size_t size,
                                                      pique_model **out);
PIQUE_API void pique_model_free(pique_model *model);

/* ---- files of blocks ----
 * Item rows may stand in the file as blocks of similar items behind a head, which holds all the rest
 * (file/blocks.h has the layout). A model opens from the head alone; its rows then come block by block, in
 * any order. Items whose rows have not come are never recommended, score -infinity, and in a history
 * count as items that the model does not know. */

typedef struct {
    uint32_t first, rows; /* its items: row i is item i */
    uint32_t offset,
        size;     /* of its gzip member: where it begins behind the head's, and its bytes */
    uint32_t crc; /* CRC-32 of its rows as they stand in the file */
} pique_block;

/* As pique_model_open of a block of `size` bytes, of which the first `filled` are there: the head. */
PIQUE_API PIQUE_CHECKED pique_status pique_model_open_head(pique_context *ctx, void *bytes,
                                                           size_t size, size_t filled,
                                                           pique_model **out);
/* The blocks of the file, in its order; the first holds the most popular items. NULL, 0: not a file of
 * blocks. *row_bytes (may be NULL): size of a row in a block. */
PIQUE_API const pique_block *pique_model_blocks(const pique_model *model, uint32_t *count,
                                                uint32_t *row_bytes);
/* The rows of a block have come, as they stand in the file; they are copied, and must be aligned for their
 * type. PIQUE_CORRUPT: they are not those of the index, or no valid rows; the model stays as it was. No
 * session of the model may be at work on another thread. */
PIQUE_API PIQUE_CHECKED pique_status pique_model_put_block(pique_model *model, uint32_t block,
                                                           const void *rows, size_t size);
/* Whether the item's row has come (or the file has codes that stand for it), and whether it tells the model something when it stands in a history. false
 * for numbers that are no item, too. */
PIQUE_API bool pique_model_has_item(const pique_model *model, uint32_t item);
PIQUE_API bool pique_model_has_behaviour(const pique_model *model, uint32_t item);

/* A JSON object that describes the model: name, config, quantisation, counts, metrics, card, fields
 * of the user profile. Owned by the model. */
PIQUE_API const char *pique_model_info(const pique_model *model);

/* "retrieval" (recommends from the whole catalogue) or "ranking" (scores given candidates). */
PIQUE_API const char *pique_model_task(const pique_model *model);
/* Whether pique_session_recommend, _interests and _scores can serve: not with models that only rank. */
PIQUE_API bool pique_model_retrieves(const pique_model *model);

/* Items are numbered 1..count in the order of falling popularity; 0 is "no item". */
PIQUE_API uint32_t pique_model_item_count(const pique_model *model);
PIQUE_API uint32_t pique_model_find_item(const pique_model *model, const char *id, size_t length);
/* Bytes of the id (not terminated); NULL for a number that is not an item. */
PIQUE_API const char *pique_model_item_id(const pique_model *model, uint32_t item, size_t *length);
/* Largest number of interests K and width D of an interest vector. */
PIQUE_API uint32_t pique_model_interest_count(const pique_model *model);
PIQUE_API uint32_t pique_model_width(const pique_model *model);
/* The vector of an item, as floats: vector[D]. PIQUE_UNSUPPORTED of models that only rank, PIQUE_ARGUMENT of items that
 * the model does not know or whose block has not arrived. */
PIQUE_API PIQUE_CHECKED pique_status pique_model_item_vector(const pique_model *model,
                                                             uint32_t item, float *vector);
/* Profile fields of the user (gender, age …): number, and the code of a raw value in field f. 0 when the value
 * is empty: a number that is not known then counts as what training filled in. Of categories, the field's
 * UNKNOWN code when training never saw the value; of numbers, PIQUE_NOT_A_NUMBER (which no query takes) when
 * the value is not a finite decimal number; of text, PIQUE_SEVERAL_CODES (nor does any take that): it is for
 * pique_session_profile. */
#define PIQUE_NOT_A_NUMBER UINT32_MAX
#define PIQUE_SEVERAL_CODES (UINT32_MAX - 1)
PIQUE_API uint32_t pique_model_profile_count(const pique_model *model);
PIQUE_API const char *pique_model_profile_name(const pique_model *model, uint32_t field);
PIQUE_API uint32_t pique_model_find_profile(const pique_model *model, uint32_t field,
                                            const char *value, size_t length);
/* What stands between the values of a field in the data that trained the model; 0: the field takes one value. */
PIQUE_API char pique_model_profile_separator(const pique_model *model, uint32_t field);

/* Columns of item categories (genre, brand …) that a list can be diversified by and filtered. */
PIQUE_API uint32_t pique_model_category_count(const pique_model *model);
PIQUE_API const char *pique_model_category_name(const pique_model *model, uint32_t column);
/* The categories of every item in a column: codes[item * each], then up to each - 1 more; 0 of none or after the last,
 * 1 the first of the names that pique_model_info lists under "terms" (of files that have them). The first of an item
 * counts where a list is diversified. NULL: no such column. */
PIQUE_API const uint8_t *pique_model_categories(const pique_model *model, uint32_t column,
                                                uint32_t *each);

/* In the place of a column: items are alike as their vectors are. */
#define PIQUE_BY_VECTORS UINT32_MAX

typedef struct {
    const uint32_t *history; /* item numbers, oldest first; numbers outside the catalogue stand
                                for items the model does not know */
    uint32_t history_count;
    const double
        *history_times;      /* NULL (not known), or seconds beside history, from whatever moment
                                    the training data count; fractions are cut off */
    const uint32_t *profile; /* one code per profile field, 0 where nothing is known; NULL: what
                                    pique_session_profile was given */
    uint32_t count;          /* how many recommendations */
    bool exclude_seen;       /* leave out the items of the history */
    bool explain;            /* fill reasons */
    const uint32_t *exclude; /* further items to leave out */
    uint32_t exclude_count;
    const uint8_t *filtered; /* NULL, or bit item % 8 of byte item / 8: leave the item out;
                                (item_count + 2) / 8 + 1 bytes */
    float
        diversity; /* 0: by score alone; else the list is chosen from the best 4 count items, and an
                          item's score counts less by it for every item of its category that stands
                          above it, in units of the scores; `score` stays what it is */
    uint32_t category; /* column of the categories; PIQUE_BY_VECTORS: the score counts less by
                          `diversity` times the largest cosine (from 0) of the item's vector and that
                          of an item above it, which is maximal marginal relevance */
} pique_query;

#define PIQUE_MAX_REASONS 3

typedef struct {
    uint32_t item;
    float score;       /* max over interests of the inner product */
    uint32_t interest; /* the interest that won */
    uint32_t reason_count;
    uint32_t
        reasons[PIQUE_MAX_REASONS]; /* history items that feed that interest most, first first */
    float reason_weights[PIQUE_MAX_REASONS]; /* their shares of the interest, together at most 1 */
} pique_recommendation;

typedef struct {
    const float *vectors; /* [live, D] row-major */
    const float *shares;  /* [live, history_count - history_first] share of each behaviour that was
                              looked at in each interest, oldest first; together at most 1 */
    uint32_t live;        /* interests in use, 1..K */
    uint32_t history_first; /* index of the first history item that the model looked at */
} pique_interests;

/* A session holds the working memory of one user at a time. It keeps a pointer to the model. */
PIQUE_API PIQUE_CHECKED pique_status pique_session_create(pique_context *ctx,
                                                          const pique_model *model,
                                                          pique_session **out);
PIQUE_API void pique_session_free(pique_session *session);

/* A raw value of profile field `field`: UTF-8, not terminated; one of length 0 is none. */
typedef struct {
    const char *bytes;
    uint32_t length;
    uint32_t field;
} pique_value;

/* The profile of the user whom the session's following queries without codes are about, until the next call of this:
 * `count` raw values, of which nothing is kept but the codes; 0 forgets. Values of fields that the model has not are not
 * looked at. A field that takes several values (pique_model_profile_separator) may stand there several times, a sequence
 * with the newest last: a value that comes again counts once, and of more than the model takes the first do, of a sequence
 * the last. A value that training never saw counts as UNKNOWN, a text by its words. *known (may be NULL): of how many
 * fields something is known. PIQUE_ARGUMENT names the field where several values stand for one, or no finite decimal
 * number for a number; the session then keeps the profile that it had. */
PIQUE_API PIQUE_CHECKED pique_status pique_session_profile(pique_session *session,
                                                           const pique_value *values,
                                                           uint32_t count, uint32_t *known);

/* The interests of a history. The result stays valid until the session's next call. */
PIQUE_API PIQUE_CHECKED pique_status pique_session_interests(pique_session *session,
                                                             const pique_query *query,
                                                             pique_interests *out);

/* Best items first; equal scores: the lower number first. `list` stays valid until the session's
 * next call; fewer than `count` when the catalogue has no more. */
PIQUE_API PIQUE_CHECKED pique_status pique_session_recommend(pique_session *session,
                                                             const pique_query *query,
                                                             const pique_recommendation **list,
                                                             uint32_t *count);

/* The items nearest to one: the largest cosines of their vectors and the item's, as `score`, largest first; of
 * equal ones the lower number first. Of the query, count and what is to be left out are looked at. The item itself is
 * left out. PIQUE_UNSUPPORTED: the model does not retrieve; PIQUE_ARGUMENT: no such item, or its row has not
 * come. `list` stays valid until the session's next call. */
PIQUE_API PIQUE_CHECKED pique_status pique_session_similar(pique_session *session, uint32_t item,
                                                           const pique_query *query,
                                                           const pique_recommendation **list,
                                                           uint32_t *count);

/* Scores of given items for the user of the query (count, exclude_seen and the rest are not looked at):
 * scores[i] belongs to candidates[i]. Of ranking models these are log-odds of a label 1, so that
 * 1 / (1 + e^-score) is its probability; of retrieval models the scores of pique_session_recommend. Numbers
 * outside the catalogue stand for an item that the model does not know. */
PIQUE_API PIQUE_CHECKED pique_status pique_session_rank(pique_session *session,
                                                        const pique_query *query,
                                                        const uint32_t *candidates, uint32_t count,
                                                        float *scores);

/* The second stage of a cascade.
 *   session   of a model that ranks, other than the session that retrieves. The two models may come from
 *             different trainings: items are joined by their ids
 *   person    history, its times, and profile in the numbers of that model; the rest is not looked at
 *   retrieve  how many items are retrieved to be ranked, at least the query's count */
typedef struct {
    pique_session *session;
    const pique_query *person;
    uint32_t retrieve;
} pique_ranker;

/* A cascade: the best `retrieve` items of the session's model as pique_session_recommend finds them, put in
 * the order of the ranker's scores, which become their `score`; equal scores in the order of retrieval.
 * Interests and reasons are those of the session's model, and `diversity` works on the ranked list. Items
 * that the ranking model does not know are left out; `unknown` (may be NULL) tells how many. When it knows
 * none of them: PIQUE_UNSUPPORTED. `list` stays valid until the session's next call. */
PIQUE_API PIQUE_CHECKED pique_status pique_session_cascade(pique_session *session,
                                                           const pique_query *query,
                                                           const pique_ranker *ranker,
                                                           const pique_recommendation **list,
                                                           uint32_t *count, uint32_t *unknown);

/* How near the blocks of the model are to what the user of the query is interested in: the best inner product
 * of an interest and the mean of a block's items. *scores [blocks] stays valid until the session's next
 * call. PIQUE_UNSUPPORTED when the model is not from a file of blocks. */
PIQUE_API PIQUE_CHECKED pique_status pique_session_near(pique_session *session,
                                                        const pique_query *query,
                                                        const float **scores);

/* Scores of all items: scores[i] belongs to item i; room for item_count + 2, the first and the last of
 * which belong to no item. */
PIQUE_API PIQUE_CHECKED pique_status pique_session_scores(pique_session *session,
                                                          const pique_query *query, float *scores);

#ifdef __cplusplus
}
#endif
#endif
