// Package decode turns input records (calls of the Segment specification, lines
// of a web server's log) into the typed columns that a policy describes. It is
// the hot path of ingest: a quick look at all bytes, one pass, no allocation per record.
//
// It promises that every line ends in exactly one way: appended as one row to the
// block of one dataset, refused because no dataset takes it, or named unreadable
// with a reason. Fields that the policy does not name are checked for their syntax
// and dropped. It reads no clock, no file and no store.
package decode
