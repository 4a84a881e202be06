package jobs_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/jobs/kanon"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// tunePolicy publishes a column with a hierarchy, one with a weight, and a sensitive one.
const tunePolicy = `
lapse: 1
name: test
version: "1"
effective_from: 2024-01-01
time_zone: UTC
controller: {name: Test}
dpo: {name: Test}
regions: {allowed: [EEA]}
categories:
  - {id: c, clause: C1, description: d, fields: {f: f}}
purposes:
  - {id: p, clause: C7, description: d, data: [d], legal_bases: [{basis: contract}]}
quarantine: {keep: P1D, clause: C12, rationale: r}
datasets:
  - name: answers
    description: d
    clause: C1
    purposes: [p]
    input: {format: segment, types: [track]}
    subject: [user]
    time: at
    retention: [{trigger: event_time, keep: P1M, action: anonymise, clause: C12, rationale: r}]
    columns:
      - {name: at, type: DateTime64(3), derive: event_time, field: c.f, identifies: nobody}
      - {name: user, type: String, from: userId, field: c.f, identifies: directly}
      - {name: country, type: LowCardinality(String), from: properties.country, field: c.f, identifies: indirectly}
      - {name: age, type: Nullable(UInt8), from: properties.age, field: c.f, identifies: indirectly}
      - {name: illness, type: String, from: properties.illness, field: c.f, identifies: indirectly}
    publish:
      k: 3
      suppression_limit: 10%
      columns:
        - {name: country, from: country, hierarchy: [[GB, Europe, "*"], [FR, Europe, "*"], [US, America, "*"]]}
        - {name: age, from: age, levels: [keep, {bands: [18, 65]}, any], weight: 0.9}
        - {name: illness, from: illness, sensitive: {distinct_l: 2, entropy_l: 1.5, recursive: {c: 4, l: 2}, t: 0.4}}
      chain: [{}]
`

func TestTuningRequiresWhatThePolicyDoes(t *testing.T) {
	t.Parallel()
	d := sinktest.Policy(t, []byte(tunePolicy)).Datasets[0]
	want := kanon.Requirement{
		K: 3, SuppressionLimit: 0.1,
		Diversity: []kanon.Diversity{{Kind: kanon.Distinct, L: 2}, {Kind: kanon.Entropy, L: 1.5}, {Kind: kanon.Recursive, L: 2, C: 4}},
		Closeness: []kanon.Closeness{{T: 0.4}},
	}
	if got := jobs.TuneRequirement(d.Publish); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// answersTable stores a sample and reads it as a table.
func answersTable(t *testing.T, csv string) *kanon.Table {
	t.Helper()
	p := sinktest.Policy(t, []byte(tunePolicy))
	d := &p.Datasets[0]
	store, _ := sinktest.Store(t, p)
	sample, err := jobs.ReadSample(strings.NewReader(csv), d, 1000, func(b *sinks.Block) error {
		return store.Insert(t.Context(), b, sinks.NewID())
	})
	if err != nil {
		t.Fatal(err)
	}
	table, err := jobs.TuneTable(t.Context(), d, store, sample.Partitions, sample.OwnPeople)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestTableHasTheRowsAtEveryLevel(t *testing.T) {
	t.Parallel()
	table := answersTable(t, `user;at;country;age;illness
u1;2024-01-12;GB;30;flu
u1;2024-01-12;GB;;cold
u2;2024-01-13;DE;70;flu
u3;2024-01-13;NL;70;gout
`)
	country, age := table.Columns[0], table.Columns[1]
	// Of the hierarchy's values GB was met; DE and NL are not in it and count as one.
	if country.Levels() != 3 || country.Values() != 4 || country.Weight != kanon.DefaultWeight {
		t.Errorf("country: %d levels of %d values with the weight %v", country.Levels(), country.Values(), country.Weight)
	}
	if age.Levels() != 3 || age.Values() != 3 || age.Weight != 0.9 {
		t.Errorf("age: %d levels of %d values with the weight %v", age.Levels(), age.Values(), age.Weight)
	}
	if table.Rows() != 4 || different(table.Subjects) != 3 || different(table.Partitions) != 2 || different(table.Sensitive[0].Values) != 3 {
		t.Errorf("%+v", table)
	}
	if different(table.Values[0]) != 2 || different(table.Values[1]) != 3 {
		t.Errorf("values %v", table.Values)
	}
}

func different[T comparable](values []T) int {
	seen := map[T]bool{}
	for _, v := range values {
		seen[v] = true
	}
	return len(seen)
}

// The levels that are found hold what they promise when rows are published at them: k, l
// and t, with hierarchies and where it depends on the rows what becomes of a value.
func TestPublicationAtTunedLevelsCostsWhatWasFound(t *testing.T) {
	t.Parallel()
	hierarchy := `hierarchy: [[GB, Europe, "*"], [FR, Europe, "*"], [US, America, "*"]]`
	for name, c := range map[string]struct{ country, illness string }{
		"k":                 {hierarchy, "distinct_l: 2"},
		"l and t":           {hierarchy, "entropy_l: 1.9, recursive: {c: 3, l: 2}, t: 0.5"},
		"rare values":       {"levels: [keep, {rare: 40}, any]", "distinct_l: 2"},
		"ever rarer, and t": {"levels: [{rare: 8}, {rare: 40}, any]", "t: 0.5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tunedAndPublished(t, strings.NewReplacer(hierarchy, c.country, "distinct_l: 2, entropy_l: 1.5, recursive: {c: 4, l: 2}, t: 0.4", c.illness, "k: 3", "k: 5").Replace(tunePolicy))
		})
	}
}

func tunedAndPublished(t *testing.T, policy string) {
	t.Helper()
	var rows strings.Builder
	rows.WriteString("user;at;country;age;illness\n")
	r := rand.New(rand.NewPCG(1, 1))
	for range 400 {
		rows.WriteString(fmt.Sprintf("u%d;2024-01-%d;%s;%d;%s\n", r.IntN(60), 12+r.IntN(2), []string{"GB", "FR", "US", "DE", "PT", "NL"}[min(r.IntN(6), r.IntN(6))],
			15+min(r.IntN(60), r.IntN(60)), []string{"flu", "cold", "gout"}[min(r.IntN(3), r.IntN(3))]))
	}
	p := sinktest.Policy(t, []byte(policy))
	d := &p.Datasets[0]
	store, _ := sinktest.Store(t, p)
	sample, err := jobs.ReadSample(strings.NewReader(rows.String()), d, 1000, func(b *sinks.Block) error {
		return store.Insert(t.Context(), b, sinks.NewID())
	})
	if err != nil {
		t.Fatal(err)
	}
	table, err := jobs.TuneTable(t.Context(), d, store, sample.Partitions, sample.OwnPeople)
	if err != nil {
		t.Fatal(err)
	}
	problem, err := kanon.New(table, jobs.TuneRequirement(d.Publish), kanon.LossOf(kanon.NonUniformEntropy))
	if err != nil {
		t.Fatal(err)
	}
	all, err := problem.Best(t.Context(), problem.Vectors())
	if err != nil || len(all) == 0 {
		t.Fatalf("%v: %v", all, err)
	}
	for _, found := range all {
		d.Publish.Chain = []map[string]int{{"country": found.Levels[0], "age": found.Levels[1]}}
		staged, err := store.Stage(t.Context(), d.Name, sample.Partitions)
		if err != nil {
			t.Fatal(err)
		}
		suppressed, published := 0, 0
		for _, pub := range staged.Publications() {
			suppressed, published = suppressed+int(pub.Suppressed), published+int(pub.Published)
		}
		if suppressed != found.Cost.Suppressed || published+suppressed != found.Cost.Rows {
			t.Errorf("%v: %d rows published and %d suppressed, where %+v was found", found.Levels, published, suppressed, found.Cost)
		}
	}
}

// Where a sample tells nobody apart every row is a person of its own, also where values
// are rare.
func TestRareValuesOfASampleWithoutPeopleAreThoseOfFewRows(t *testing.T) {
	t.Parallel()
	policy := strings.Replace(tunePolicy, `hierarchy: [[GB, Europe, "*"], [FR, Europe, "*"], [US, America, "*"]]`, "levels: [keep, {rare: 2}]", 1)
	p := sinktest.Policy(t, []byte(policy))
	d := &p.Datasets[0]
	store, _ := sinktest.Store(t, p)
	sample, err := jobs.ReadSample(strings.NewReader("country;age;illness\nGB;1;flu\nGB;2;flu\nFR;3;flu\nUS;4;flu\n"), d, 1000, func(b *sinks.Block) error {
		return store.Insert(t.Context(), b, sinks.NewID())
	})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := store.ReadLevels(t.Context(), d.Name, sample.Partitions)
	if err != nil {
		t.Fatal(err)
	}
	values := rows.Columns[0]
	slices.SortFunc(values, slices.Compare)
	if want := [][]string{{"FR", "other"}, {"GB", "GB"}, {"US", "other"}}; !reflect.DeepEqual(values, want) {
		t.Errorf("%v, want %v", values, want)
	}
}
