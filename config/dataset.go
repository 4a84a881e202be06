package config

import "slices"

// Dataset is one personal table, and the anonymised table it becomes. Its
// columns are the policy's to define: another company's need no other program.
type Dataset struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
	Clause      string `yaml:"clause"`
	// Purposes are those of every column that names none of its own.
	Purposes []string `yaml:"purposes"`
	Input    Input    `yaml:"input"`
	// Subject lists the columns that identify the person a record is about, the
	// most lasting first: the first one that is not empty is the subject. A record
	// that ties two of them together ties them in the whole partition.
	Subject []string `yaml:"subject"`
	// Organisation is the column of the organisation that a record belongs to. Legal
	// holds on an organisation, its erasure, and windows of its own, go by it.
	Organisation string `yaml:"organisation,omitempty"`
	// Time is the column of the event's own time, UTC. It decides the partition.
	Time string `yaml:"time"`
	// OrderBy is the sorting key. Identifiers may not be part of it.
	OrderBy   []string `yaml:"order_by,omitempty"`
	Retention []Window `yaml:"retention"`
	// MaxShare (above 0, up to 1) is the share of the dataset's rows that one run may
	// take without an approved plan. Without it there is no limit.
	MaxShare float64      `yaml:"max_share,omitempty"`
	Columns  []Column     `yaml:"columns"`
	Publish  *Publication `yaml:"publish,omitempty"`
}

// InputFormat names a notation of input records.
type InputFormat string

// The input formats.
const (
	Segment InputFormat = "segment" // the Segment specification's calls, one JSON object a line
	WebLog  InputFormat = "weblog"  // common and combined log format of web servers
	// TrainingNotes are records about training items, one JSON object a line; no
	// dataset of a policy takes them.
	TrainingNotes InputFormat = "training"
)

// Input says which records belong to a dataset. A record goes into the first
// dataset of the policy that takes it.
type Input struct {
	Format InputFormat `yaml:"format"`
	// Types are the Segment calls taken: track, page, screen, identify, group, alias.
	Types []string `yaml:"types,omitempty"`
	// Events restricts track calls to those of these names.
	Events []string `yaml:"events,omitempty"`
}

// Identifies says how a column's values relate to a person.
type Identifies string

// The ways a column can identify.
const (
	Directly   Identifies = "directly"   // a direct identifier: never in the anonymised database
	Indirectly Identifies = "indirectly" // a quasi-identifier, or free text that may hold anything
	Nobody     Identifies = "nobody"     // tells nothing about who
)

// Column is a column of a personal table.
type Column struct {
	Name string `yaml:"name"`
	Type Type   `yaml:"type"`
	// From is the field of the input record: a dotted path such as
	// context.page.url for Segment calls, a field name such as remote_addr for web
	// logs. Of several, the first that is present counts.
	From StringList `yaml:"from,omitempty"`
	// Derive computes the value from the field instead of copying it.
	Derive Derivation `yaml:"derive,omitempty"`
	// Field is the category and field that the policy describes the column by,
	// such as technical.ip_address.
	Field      string     `yaml:"field"`
	Purposes   []string   `yaml:"purposes,omitempty"`
	Identifies Identifies `yaml:"identifies"`
	// Expires says that the values are kept for less time than the records they stand in.
	// When the records are published later, the values that are gone can no longer be looked
	// for in published texts.
	Expires *FieldWindow `yaml:"expires,omitempty"`
	// Description is the column's comment in the database; the field's words if empty.
	Description string `yaml:"description,omitempty"`
}

// FieldWindow is how long the values of a column are kept, from the time of the event.
// Then they are replaced by the column's empty value.
type FieldWindow struct {
	Keep      Period `yaml:"keep"`
	Clause    string `yaml:"clause"`
	Rationale string `yaml:"rationale"`
}

// Derivation is a computation at ingest.
type Derivation string

// The derivations.
const (
	DeriveNone       Derivation = ""
	DeriveEventTime  Derivation = "event_time" // the Segment clock correction
	DeriveBrowser    Derivation = "browser"    // browser family of a user agent
	DeriveBrowserVer Derivation = "browser_version"
	DeriveOS         Derivation = "os"          // operating system of a user agent
	DeriveDevice     Derivation = "device_type" // desktop, mobile, tablet or bot, of a user agent
	DeriveRandom     Derivation = "random"      // a random id; for the program's own tables only

	DeriveAgent     Derivation = "reduced_user_agent" // browser with major version, system and device of a user agent
	DeriveNetwork   Derivation = "network"            // the /24 network of an IPv4 address, the /48 of an IPv6 address
	DeriveCountry   Derivation = "country"            // ISO 3166-1 code of an address, by the country database of the settings
	DeriveBareURL   Derivation = "url_without_query"  // a URL without user, query and fragment
	DerivePseudonym Derivation = "pseudonym"          // a keyed hash; see Policy.Pseudonyms
	DeriveDropped   Derivation = "dropped"            // nothing any more, where a column has to stay
)

// Publication is the anonymised form of a dataset.
type Publication struct {
	// K is the least number of distinct subjects in every equivalence class.
	K int `yaml:"k"`
	// After is how long after its end a day is published, while its personal rows live out
	// their window. If it is left out they are published when that has passed.
	After Period `yaml:"after,omitempty"`
	// SuppressionLimit is the greatest share of a partition's rows that may be
	// suppressed. If it is left out, all may be.
	SuppressionLimit *Share            `yaml:"suppression_limit,omitempty"`
	Columns          []PublishedColumn `yaml:"columns"`
	// Chain is the list of level vectors: each names, for some of the class
	// columns, the level of generalisation; a column it leaves out stays at the
	// level of the vector before. A row is published at the first vector at which
	// its class holds K subjects, and suppressed if there is none. The chain is
	// fixed in the policy because levels chosen anew for each partition invite
	// downcoding (Cohen, 2022).
	Chain []map[string]int `yaml:"chain"`
	// Views answer common questions about the table.
	Views []View `yaml:"views,omitempty"`
}

// PublishedColumn is a column of an anonymised table. Either it is part of the
// equivalence class and has levels, or it is sensitive, or it is a measure.
type PublishedColumn struct {
	Name        string `yaml:"name"`
	From        string `yaml:"from"` // column of the dataset
	Description string `yaml:"description,omitempty"`
	// Levels are the generalisations of the column, from fine to coarse.
	Levels []Transform `yaml:"levels,omitempty"`
	// Hierarchy gives the levels value by value instead.
	Hierarchy *Hierarchy `yaml:"hierarchy,omitempty"`
	// Weight, from 0 to 1, says how much the column's detail is worth when levels are
	// chosen, in relation to the other columns; 0.5 if it is left out.
	Weight *float64 `yaml:"weight,omitempty"`
	// Sensitive publishes values as they are, outside the class, of which each class
	// must hold enough different ones that nobody's can be inferred.
	Sensitive *Sensitive `yaml:"sensitive,omitempty"`
	// Measure publishes a number as it is, outside the class.
	Measure bool `yaml:"measure,omitempty"`
}

// Sensitive is what must hold of a sensitive column's values in every equivalence
// class; a person's value counts once. What is left out is not asked for.
type Sensitive struct {
	// DistinctL is the least number of different values (distinct l-diversity,
	// Machanavajjhala et al., 2007).
	DistinctL int `yaml:"distinct_l,omitempty"`
	// EntropyL is what the entropy of the values must be the logarithm of, at least
	// (entropy l-diversity).
	EntropyL float64 `yaml:"entropy_l,omitempty"`
	// Recursive asks that the most frequent value is rarer than c times those from the
	// l-th on together (recursive (c,l)-diversity).
	Recursive *RecursiveDiversity `yaml:"recursive,omitempty"`
	// T is how much the values' distribution may differ from that of all rows, from 0 to
	// 1 (t-closeness with equal distances, Li et al., 2007).
	T float64 `yaml:"t,omitempty"`
}

// RecursiveDiversity holds the parameters of recursive (c,l)-diversity.
type RecursiveDiversity struct {
	C float64 `yaml:"c"`
	L int     `yaml:"l"`
}

// InClass reports whether the column is part of the equivalence class.
func (c PublishedColumn) InClass() bool { return !c.Measure && c.Sensitive == nil }

// Column returns the column called name.
func (d *Dataset) Column(name string) (*Column, bool) {
	i := slices.IndexFunc(d.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return nil, false
	}
	return &d.Columns[i], true
}

// PurposesOf returns the purposes of c: its own, or else the dataset's.
func (d *Dataset) PurposesOf(c *Column) []string {
	if len(c.Purposes) > 0 {
		return c.Purposes
	}
	return d.Purposes
}

// Window returns the retention window with the given trigger.
func (d *Dataset) Window(t Trigger) (*Window, bool) {
	return findWindow(d.Retention, t)
}

// Window returns the retention window with the given trigger.
func (t *Training) Window(trigger Trigger) (*Window, bool) {
	return findWindow(t.Retention, trigger)
}

func findWindow(ws []Window, t Trigger) (*Window, bool) {
	i := slices.IndexFunc(ws, func(w Window) bool { return w.Trigger == t })
	if i < 0 {
		return nil, false
	}
	return &ws[i], true
}

// ClassColumns returns the columns that make up the equivalence class.
func (p *Publication) ClassColumns() []PublishedColumn {
	return slices.Collect(func(yield func(PublishedColumn) bool) {
		for _, c := range p.Columns {
			if c.InClass() && !yield(c) {
				return
			}
		}
	})
}

// Vectors returns the chain with every vector written out: for each, the level
// of each class column in order.
func (p *Publication) Vectors() [][]int {
	columns := p.ClassColumns()
	vectors := make([][]int, len(p.Chain))
	current := make([]int, len(columns))
	for i, step := range p.Chain {
		for j, c := range columns {
			if level, ok := step[c.Name]; ok {
				current[j] = level
			}
		}
		vectors[i] = slices.Clone(current)
	}
	return vectors
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }
