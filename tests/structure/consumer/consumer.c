/* The smallest user of the library: one call of each public header. */
#include <pique.h>
#include <pique_train.h>
#include <stdio.h>

int main(void) {
    pique_context *ctx = NULL;
    if (pique_context_create(NULL, &ctx) != PIQUE_OK) {
        return 1;
    }
    char *models = NULL;
    pique_status status = pique_models_json(ctx, &models);
    printf("%s %s\n", PIQUE_VERSION_TEXT, status == PIQUE_OK ? models : pique_error(ctx));
    pique_release(ctx, models);
    pique_context_free(ctx);
    return status == PIQUE_OK ? 0 : 1;
}
