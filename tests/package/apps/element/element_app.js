import { define } from 'pique/element';

globalThis.answer = new Promise((resolve) => {
  addEventListener('pique-ready', async ({ detail: { recommender } }) => {
    const { items } = await recommender.recommend({ count: 3 });
    resolve({ thread: recommender.info.thread, count: items.length });
  });
});
define();
