// Package config holds what an operator writes down: the privacy policy as code
// and the settings of one installation, with their loading and checking.
//
// Both are read strictly: an unknown key, a value out of range or a reference to
// nothing is refused with the file, line, column, field and the cure. The types
// here are the domain's own; no other package has a second version of them.
//
// The package evaluates nothing, reads no clock and knows no store.
package config
