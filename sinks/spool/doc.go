// Package spool is the durable landing place of what the collector accepted: a
// folder of segments, files with one JSON line an event, which the ingest job reads
// as it reads any file.
//
// It promises that lines are durable before their sender hears so, that many
// senders share one sync of the disk, that a segment has its visible name only
// once nothing is written to it any more, and that the folder does not outgrow its
// limit. After a crash, what the last segment holds beyond its last whole line is
// cut off.
//
// Whoever has ingested a closed segment removes it: the spool looks at the folder,
// not at a memory of its own, to know how full it is. Segments hold personal data.
// They can be read by their owner alone, and nothing of them is in an error.
package spool
