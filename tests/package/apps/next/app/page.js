import { PiqueError } from 'pique'; // also on the server, where nothing may happen on import
import Hook from './hook.js';
import List from './list.js';

export const dynamic = 'force-dynamic';

export default function Page() {
  return (
    <main data-server={typeof PiqueError}>
      <List />
      <Hook />
    </main>
  );
}
