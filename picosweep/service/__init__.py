"""The service: sweeps submitted, queued, watched and stopped over HTTP."""
