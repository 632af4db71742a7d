/* json_view.h — looking into JSON that the library made (pique_model_info, pique_models_json). jsmn cuts
 * it into tokens; numbers and strings are printed as they stand. */
#ifndef CLI_JSON_VIEW_H
#define CLI_JSON_VIEW_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *text;
    struct json_token *tokens;
    int count;
} json_view;

#define JSON_ROOT 0
#define JSON_NONE (-1) /* no such value; every function takes it as an absent one */

/* false when memory is short or the text is not JSON. The text outlives the view. */
bool json_view_open(json_view *view, const char *text);
void json_view_close(json_view *view);

/* The value of a member. */
int json_view_get(const json_view *view, int object, const char *key);
/* Members (at the key; the value stands at + 1) or elements, in order; JSON_NONE ends them. */
int json_view_first(const json_view *view, int at);
int json_view_next(const json_view *view, int parent, int at);

bool json_view_is(const json_view *view, int at, const char *text);
/* Numbers, truth values and names as they stand; a string with its escapes resolved, released by free.
 * NULL when the value is absent or memory is short. */
char *json_view_text(const json_view *view, int at);
/* The same on stdout, as cli_print_safe does it. */
void json_view_print(const json_view *view, int at, bool newlines);
/* Do both stand written in the same way? */
bool json_view_same(const json_view *view, int a, int b);

#endif
