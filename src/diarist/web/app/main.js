// The first script: asks for the transcript that the address names while the others are still being loaded.

const [, job] = location.hash.split('/');
const early = job ? fetch(`/v1/jobs/${job}/transcript`, {credentials: 'same-origin', cache: 'no-store'}) : null;
early?.catch(() => {});
import('./router.js').then(({begin}) => begin(early));
