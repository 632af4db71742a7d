/* grad_interest.c — gradients of the whole losses of models that attend to the history for each candidate. */
#include "tests/grad/grad_check.h"

#include "tests/unit/interest_case.h"

typedef struct {
    pq_model model;
    pq_batch batch;
} ranking;

static pq_var *loss(pq_tape *t, const void *argument) {
    const ranking *r = argument;
    return pq_model_loss(t, &r->model, &r->batch);
}

#define TOWER "hidden1=4 hidden2=0 "
#define UNIT "attention1=3 attention2=2 "

void grad_interest(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"pool", "dim=2 hidden=3"},
        {"rnn", "dim=2 hidden=2 cell=lstm"},
        {"rnn_als", "dim=2 cell=rnn"},
        {"rnn_joint", "dim=2 cell=gru aux_output=own"},
        {"din", "dim=2 " TOWER UNIT},
        {"din", "dim=2 hidden1=3 hidden2=2 activation=prelu norm=layers dropout=0.3 " UNIT},
        {"din", "dim=2 att_norm=none attention1=3 attention2=0 attention_activation=dice " TOWER},
        {"din", "dim=2 att=dot att_scale=1 input=plain norm=none " TOWER},
        {"din", "dim=2 att=bilinear att_norm=sigmoid " TOWER},
        {"din", "dim=2 att=self " UNIT TOWER},
        {"din", "dim=2 att=elem_sub " UNIT TOWER},
        {"din", "dim=2 att=elem_mul dice_alpha=0.1 dice_affine=1 " UNIT TOWER},
        {"din", "dim=2 att=user attention_dropout=0.2 " UNIT TOWER},
        {"din", "dim=2 att=self input=compact hidden1=1 hidden2=0 output=0 " UNIT},
        {"dien", "dim=1 " TOWER UNIT "aux1=3 aux2=0"},
        {"dien", "dim=1 evolution=gru aux=next_dot alpha=0.5 " TOWER UNIT},
        {"dien", "dim=1 evolution=aigru aux=none att_scale=1 " TOWER UNIT},
        {"dien", "dim=1 evolution=agru aux1=3 aux2=2 " TOWER UNIT},
        {"dien", "dim=1 evolution=augru att=bilinear aux=next_dot input=plain " TOWER},
        {"dien", "dim=1 cell=tf att=mlp_prelu_query aux1=3 aux2=0 " TOWER UNIT},
        {"dien", "dim=1 cell=tf evolution=agru aux=same_label aux_norm=padded " TOWER UNIT},
        {"dien", "dim=1 cell=tf evolution=aigru att=bilinear aux=next_dot ctr_scale=0.5 " TOWER},
        {"dien", "dim=1 cell=tf evolution=gru att=one aux=next_dot aux_norm=padded " TOWER},
        {"bst", "dim=1 heads=2 head_width=2 inner=3 hidden1=3 hidden2=2 history=7"},
        {"bst",
         "dim=1 layers=2 heads=1 head_width=3 inner=2 hidden1=2 hidden2=0 position=sinusoid"},
        {"bst",
         "dim=1 heads=1 head_width=2 inner=2 hidden1=2 hidden2=0 position=time_gap ff_act=leaky"},
        {"transformer4rec", "dim=1 heads=2 head_width=1 inner=2 hidden1=2 hidden2=0 history=7"},
        {"transformer4rec", "dim=1 heads=1 head_width=2 inner=2 hidden1=2 hidden2=2 history=7 "
                            "enc_causal=0 aux_output=own aux_head=softmax_ce position=sinusoid"},
        {"transformer4rec", "dim=1 heads=1 head_width=2 inner=2 hidden1=2 hidden2=0 history=7 "
                            "dec_causal=strict cross_query=encoder dec_input=same"},
        {"dsin", "dim=1 heads=1 head_width=2 inner=2 ln=0 blind=1 mean=padded lstm_layers=2 "
                 "lstm_stack=per_direction " TOWER UNIT},
        {"dsin", "dim=1 sessions=2 session_length=3 heads=2 head_width=1 inner=2 " TOWER UNIT},
        {"dsin",
         "dim=1 position=learned session_least=2 heads=1 head_width=2 inner=2 lstm_layers=2 "
         "lstm_dropout=0.2 lstm_merge=concat att=bilinear " TOWER},
        {"din", "dim=1 att=outer " UNIT TOWER},
        {"din", "dim=2 norm=affine " UNIT TOWER},
        {"dien", "dim=1 h0=random tables=separate aux=next_dot " TOWER UNIT},
        {"dien", "dim=1 h0=random evolution=gru cell=tf aux=none " TOWER UNIT},
        {"bst",
         "dim=2 heads=1 head_width=2 inner=2 position=learned target_in_encoder=0 " TOWER UNIT},
    };
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        ranking r = {.batch = interest_case_batch()};
        grad_bench g;
        grad_open(&g, i);
        assert_ok(&g.t.ctx, interest_case_model(&r.model, &g.t.ctx, cases[i][0], cases[i][1]));
        g.params = &r.model.params;
        for (uint32_t training = 0; training < 2; training++) {
            g.training = training == 1;
            grad_check(&g, cases[i][1], loss, NULL, &r);
        }
        pq_model_free(&r.model);
        grad_close(&g);
    }
}
