/** The worker's script. */
import { listen } from './server.ts';

listen();
