/* golden_check.h — what the tests of golden fixtures share: a model against a fixture that a program of
 * another make wrote (*_golden.py), with the kernels of every instruction set that this machine has.
 *
 * A fixture's metadata has the options of model and training ("config" on top of "preset"). Its tensors,
 * where the model has use for them:
 *     param.<name>                               every parameter
 *     column.<name>.offsets, column.<name>.values, param.profile.<name>     the catalogue
 *     side.<name>, counts.<name>                 instead: rows of the items, and how many each item has
 *     a.<member>, b.<member>                     two batches: starts, items, targets, and label_rows
 *                                                (of the newest behaviours, which the model looks at),
 *                                                profile, negatives, target_log_q, negative_log_q,
 *                                                pair_negatives; where there are scores candidates,
 *                                                candidate_users, in ranking candidate_labels
 *     a.pixels, b.pixels                         numbers of each user, the one column of the profile
 *     a.teacher, b.teacher                       logits of a teacher (kd.* are in the config), [P, slate] with
 *                                                -1e30 for an item that it does not know, or [C]; and
 *     a.taught, b.taught                         1 for labels that it knows, else 0
 *     expect.interests, expect.live, expect.scores     of the first batch
 *     expect.losses, grad.<name>, after.<name>   ten steps of Adam on the batches in turn, the first
 *                                                step's gradients, the parameters after them */
#ifndef GOLDEN_CHECK_H
#define GOLDEN_CHECK_H

/* Runs tests/golden/fixtures/<model>-<name>.safetensors for each name, and fails when the folder holds
 * one that is not named. Returns what main returns. */
int golden_run(const char *model, const char *const *names, unsigned count);

#endif
