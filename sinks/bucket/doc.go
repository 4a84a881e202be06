// Package bucket holds object stores: so far a local folder, in which a key is a
// relative path; and input files, as a list of paths on the command line.
//
// It promises that nothing outside the folder is touched, whatever a key says,
// and that an object is written whole or not at all.
package bucket
