// Package replay judges the past again (T4, Replay): a plant's readings, alarms, risk and what people did, as the ledger and the
// stored samples have them, and the same interval judged anew by the model of that time or by another.
//
// A replay runs the site's own engine over one plant. It begins at the plant's birth where the ledger reaches that far back within
// the warm-up, and is exact then, up to a tick of the clock; otherwise it begins with the records as they were at the beginning of
// the warm-up, and what an engine remembers beside its records (docs/model-service.md lists it) has settled by the time the interval begins.
package replay
