import { Client } from './client.js';

export { Client };

let shared;

export function defaultClient() {
  shared ??= new Client();
  return shared;
}

export function mark(job, options) {
  return defaultClient().mark(job, options);
}

export function own(job, options, work) {
  return defaultClient().own(job, options, work);
}

export function clear(job) {
  return defaultClient().clear(job);
}

export function isOwned(job) {
  return defaultClient().isOwned(job);
}
