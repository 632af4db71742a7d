'use client';

import { useRecommendations } from 'pique/react';

/** Liking an item makes the list a personal one. */
export default function Hook() {
  const { items, status, personal, recommender, record } = useRecommendations('/films.pique', {
    count: 3,
    initial: [{ id: 'initial', score: 0 }],
    load: { history: 'memory' },
  });
  return (
    <section id="hook" data-status={status} data-personal={personal}>
      <button type="button" disabled={!recommender} onClick={() => record(items[0].id, 'like')}>
        Like
      </button>
      <ul>
        {items.map(({ id }) => (
          <li key={id}>{id}</li>
        ))}
      </ul>
    </section>
  );
}
