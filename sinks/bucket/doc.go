// Package bucket holds object stores: a local folder, in which a key is a relative
// path, and buckets with the S3 API; and input files, as a list of paths on the
// command line.
//
// It promises that nothing outside the folder or bucket is touched, whatever a key
// says; that an object is written whole or not at all; and that a key is only taken
// for empty if the store has shown that there is nothing under it: no version, no
// delete marker, no unfinished upload. It never bypasses an Object Lock, and never
// names a key in an error.
//
// Of an S3 store it needs ListObjectVersions, ListMultipartUploads and DeleteObjects.
// The orders in which stores list keys, versions and markers differ; search says
// what may be concluded from any of them.
package bucket
