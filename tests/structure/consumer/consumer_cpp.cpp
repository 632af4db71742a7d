// The same from C++: the headers compile there, and the names link.
#include <iostream>
#include <pique.h>
#include <pique_train.h>

int main() {
    pique_context *ctx = nullptr;
    if (pique_context_create(nullptr, &ctx) != PIQUE_OK) {
        return 1;
    }
    char *models = nullptr;
    const pique_status status = pique_models_json(ctx, &models);
    std::cout << PIQUE_VERSION_TEXT << ' ' << (status == PIQUE_OK ? models : pique_error(ctx)) << '\n';
    pique_release(ctx, models);
    pique_context_free(ctx);
    return status == PIQUE_OK ? 0 : 1;
}
