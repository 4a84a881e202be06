package config

import "github.com/invopop/jsonschema"

// InputFilesRule says what becomes of a file once every record in it is accounted
// for: until then it is the only copy, afterwards it is personal data without a use.
// What Lapse has collected itself is deleted in any case.
type InputFilesRule struct {
	After Disposal `yaml:"after"`
	// Keep is how long moved files are kept, counted from the end of the day on which
	// they were moved, in the policy's time zone.
	Keep      Period `yaml:"keep,omitempty"`
	Clause    string `yaml:"clause"`
	Rationale string `yaml:"rationale"`
}

// Disposal is what becomes of an input file.
type Disposal string

// The disposals.
const (
	KeepFile   Disposal = "keep" // it is somebody else's to delete
	MoveFile   Disposal = "move" // out of the way, and deleted later
	DeleteFile Disposal = "delete"
)

var disposals = []Disposal{KeepFile, MoveFile, DeleteFile}

// JSONSchema lists the words.
func (Disposal) JSONSchema() *jsonschema.Schema {
	return enum(disposals, "what becomes of an input file")
}

// Disposal returns what becomes of input files; they are kept if the policy says
// nothing.
func (p *Policy) Disposal() Disposal {
	if p.InputFiles == nil {
		return KeepFile
	}
	return p.InputFiles.After
}

// checkInputFiles checks the rule about input files.
func (p *Policy) checkInputFiles(r *reporter) {
	rule, at := p.InputFiles, place{path: "$"}.key("input_files")
	if rule == nil {
		return
	}
	checkReason(r, at, rule.Clause, rule.Rationale)
	switch {
	case !known(disposals, rule.After):
		r.fault(at.key("after"), "%q is not a disposal; use %s", rule.After, join(disposals))
	case rule.After == MoveFile && rule.Keep.IsZero():
		r.fault(at.key("keep"), "moved files are personal data still: say how long they are kept, such as P7D")
	case rule.After != MoveFile && !rule.Keep.IsZero():
		r.fault(at.key("keep"), "only moved files are kept for a time; use after: move, or leave it out")
	}
}
