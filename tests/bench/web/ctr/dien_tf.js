// DIEN (AUGRU) written with TensorFlow.js, the way a program for the page would write it: one tensor program over
// all candidates at once, the first recurrent network once per visitor, the second step by step.

/** Log-odds of candidates as a function of (history, candidates, profile), arrays of numbers. */
export function makeDien(tf, { tensors, about }) {
  const w = {};
  for (const [name, { shape, values }] of Object.entries(tensors)) {
    w[name] = tf.tensor(values, shape);
  }
  const fields = JSON.parse(about['pique.profile']);
  const h = w['item.weight'].shape[1];
  const linear = (x, matrix, bias) => tf.add(tf.matMul(x, matrix, false, true), bias);
  // Transposed views of the weights are made by the library; the first layer over the four parts is one matrix.
  const [query, key, product] = ['query', 'key', 'product'].map((part) => w[`attention1.${part}`]);
  const shift = tf.mul(tf.sub(query, key), 0.5);
  const four = tf.concat([tf.sub(query, shift), tf.add(key, shift), shift, product], 1);
  const norm = (at, x, epsilon) => {
    const [mean, variance] = tf.split(w[`${at}.statistic`], 3, 0);
    const y = tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, epsilon)));
    return w[`${at}.gain`] ? tf.add(tf.mul(y, w[`${at}.gain`]), w[`${at}.bias`]) : y;
  };
  const layer = (at, x) => linear(x, w[`${at}.w`], w[`${at}.b`]);
  const dice = (at, x) => {
    const p = tf.sigmoid(norm(at, x, 1e-8));
    return tf.add(tf.mul(p, x), tf.mul(tf.mul(tf.sub(1, p), w[`${at}.slope`]), x));
  };

  function gru(x) {
    const gates = linear(x, w['layer1.input.w'], w['layer1.input.b']);
    let state = tf.zeros([1, h]);
    const states = [];
    for (const gate of tf.split(gates, gates.shape[0], 0)) {
      const before = linear(state, w['layer1.state.w'], w['layer1.state.b']);
      const [xr, xz, xn] = tf.split(gate, 3, 1);
      const [hr, hz, hn] = tf.split(before, 3, 1);
      const r = tf.sigmoid(tf.add(xr, hr));
      const z = tf.sigmoid(tf.add(xz, hz));
      const n = tf.tanh(tf.add(xn, tf.mul(r, hn)));
      state = tf.add(n, tf.mul(z, tf.sub(state, n)));
      states.push(state);
    }
    return tf.concat(states, 0);
  }

  function attention(q, states) {
    const [count, length] = [q.shape[0], states.shape[0]];
    const queries = tf.tile(tf.expandDims(q, 1), [1, length, 1]);
    const keys = tf.tile(tf.expandDims(states, 0), [count, 1, 1]);
    const parts = [queries, keys, tf.sub(queries, keys), tf.mul(queries, keys)];
    const rows = tf.reshape(tf.concat(parts, 2), [count * length, 4 * h]);
    const first = tf.sigmoid(linear(rows, four, w['attention1.b']));
    const second = tf.sigmoid(layer('attention2', first));
    return tf.softmax(tf.reshape(layer('attention3', second), [count, length]), 1);
  }

  function evolve(states, a) {
    const gates = linear(states, w['evolution.input.w'], w['evolution.input.b']);
    const weights = tf.split(a, a.shape[1], 1);
    let state = tf.zeros([a.shape[0], h]);
    for (const [t, gate] of tf.split(gates, gates.shape[0], 0).entries()) {
      const before = linear(state, w['evolution.state.w'], w['evolution.state.b']);
      const [xr, xz, xn] = tf.split(gate, 3, 1);
      const [hr, hz, hn] = tf.split(before, 3, 1);
      const r = tf.sigmoid(tf.add(xr, hr));
      const z = tf.sigmoid(tf.add(xz, hz));
      const n = tf.tanh(tf.add(xn, tf.mul(r, hn)));
      const step = tf.mul(weights[t], tf.sub(1, z));
      state = tf.add(state, tf.mul(step, tf.sub(n, state)));
    }
    return state;
  }

  return (history, candidates, profile) =>
    tf.tidy(() => {
      const ids = (list) => tf.tensor1d(list, 'int32');
      const x = tf.gather(w['item.weight'], ids(history));
      const q = tf.gather(w['item.weight'], ids(candidates));
      const count = candidates.length;
      const states = gru(x);
      const interest = evolve(states, attention(q, states));
      const total = tf.tile(tf.sum(x, 0, true), [count, 1]);
      const user = tf.concat(
        fields.map((name, i) => tf.gather(w[`profile.${name}`], ids([profile[i]]))),
        1,
      );
      const z = tf.concat([tf.tile(user, [count, 1]), q, total, tf.mul(q, total), interest], 1);
      const one = dice('tower1', layer('tower1', norm('tower0', z, 1e-5)));
      return tf.reshape(layer('tower3', dice('tower2', layer('tower2', one))), [count]);
    });
}
