/* layout.h — what a model file holds, by name.
 *
 * metadata   pique.version  PQ_FORMAT            pique.model    registry name
 *            pique.config   the model's fields   pique.profile  names of the profile fields
 *            pique.quant    of the item rows     pique.metrics  JSON object
 *            pique.data     where the data came from            pique.card  text for people
 *            pique.quant.loss  JSON: what the export lost on the validation split
 * tensors    item.weight          (rows, D) F32, F16, or I8 with item.weight.scale (rows); or int4: U8
 *                                 (rows, ceil(D / 2)), byte j = code[2j] + 8 | (code[2j + 1] + 8) << 4 with codes
 *                                 -7..7 (an odd width's last half is 8), and item.weight.scale
 *                                 (rows, ceil(D / 32)), a scale for each group of 32 columns
 *            item.codes           U8 (rows, M / 2): codes of an additive quantiser of M <= D codebooks;
 *                                 byte j = code of codebook 2j | that of 2j + 1 << 4
 *            item.codebook        (16 M, D): row 16 m + c is centroid c of codebook m; an item's row is the sum of the
 *                                 M centroids that its codes name. Codes give the shortlist where item.weight stands
 *                                 beside them, else the rows
 *            item.length          (rows) F32: behaviour i is item.length[i] * item.weight[i]
 *            behaviour.weight     (rows, D) likewise, where behaviours are not multiples of items
 *            item.category.<name> (rows) or (rows, most) U8: which of at most 255 categories, 0: none, or no
 *                                 further one; the names of the columns stand in the metadata's
 *                                 pique.categories, a JSON array, those of the categories in pique.terms,
 *                                 {"<name>": ["of 1", "of 2", …]}; all may be missing
 *            item.blocks, item.centroids  of files whose item rows come in blocks (file/blocks.h)
 *            item.ids             U8, all ids; item.ids.offsets (items + 1) U32
 *            profile.<name>.terms U8, and .offsets U32: a field of categories. A field of numbers has
 *            profile.<name>.bounds (buckets - 1) F32, rising, or, where one vector counts as often as the quantile says,
 *            profile.<name>.quantiles (landmarks) F32, which do not fall; and
 *            profile.<name>.missing (1) F32, the number that one that is not known counts as, or NaN: UNKNOWN.
 *            profile.<name>.several (4) U32 of a field whose value has several codes: the ASCII character between the
 *                                 values of a cell (0: it is one value), how many count at most (0: all), 1 when those
 *                                 are the last, and buckets of the hashes of text, which has no terms (0: no text).
 *                                 2 in the place of 1: the field is a vector of so many numbers, and has no terms
 *            and the parameters of the model under their own names, F32, or of rank 2 also I8 with NAME.scale (rows)
 *            F16 may stand for F32 everywhere but in bounds, quantiles and missing
 * Row 0 of items is PAD, rows 1..n are the items in the order of their ids, row n + 1 is UNKNOWN. */
#ifndef PQ_LAYOUT_H
#define PQ_LAYOUT_H

/* Version of names and meanings; a reader takes its own alone. */
#define PQ_FORMAT "1"

#define PQ_LOSS_KEY "pique.quant.loss"
#define PQ_TERMS_KEY "pique.terms"
#define PQ_ITEM_WEIGHT "item.weight"
#define PQ_ITEM_BLOCKS "item.blocks"
#define PQ_ITEM_CENTROIDS "item.centroids"
#define PQ_ITEM_CODEBOOK "item.codebook"
#define PQ_ITEM_LENGTH "item.length"
#define PQ_BEHAVIOUR_WEIGHT "behaviour.weight"
#define PQ_ITEM_IDS "item.ids"
#define PQ_ITEM_CATEGORY "item.category."
#define PQ_ITEM_CODES "item.codes"
#define PQ_PADDING "padding"
#define PQ_SCALE_SUFFIX ".scale"
#define PQ_OFFSETS_SUFFIX ".offsets"
#define PQ_TERMS_SUFFIX ".terms"
#define PQ_BOUNDS_SUFFIX ".bounds"
#define PQ_QUANTILES_SUFFIX ".quantiles"
#define PQ_MISSING_SUFFIX ".missing"
#define PQ_SEVERAL_SUFFIX ".several"

enum {
    PQ_SEVERAL_SEPARATOR,
    PQ_SEVERAL_MOST,
    PQ_SEVERAL_NEWEST, /* or PQ_VECTOR */
    PQ_SEVERAL_WORDS,
    PQ_SEVERAL /* numbers */
};

#define PQ_VECTOR 2

#endif
