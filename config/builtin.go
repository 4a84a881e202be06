package config

import _ "embed" // for the policies that come with the program

// Facesoft is the policy of Facesoft Ltd as code: the text of facesoft.yaml. It
// is what `lapse init` starts a new installation with.
//
//go:embed facesoft.yaml
var Facesoft []byte

// Starter is a commented settings file for a new installation.
//
//go:embed starter.yaml
var Starter []byte
