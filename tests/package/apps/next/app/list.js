'use client';

import { load } from 'pique';
import { useEffect, useState } from 'react';

export default function List() {
  const [answer, setAnswer] = useState(null);
  useEffect(() => {
    const loading = load('/films.pique').then(async (pique) => {
      const { items } = await pique.recommend({ count: 3 });
      setAnswer(items);
      return { thread: pique.info.thread, count: items.length };
    });
    globalThis.answer ??= loading;
  }, []);
  return (
    <ul>{answer ? answer.map(({ id }) => <li key={id}>{id}</li>) : <li>from the server</li>}</ul>
  );
}
