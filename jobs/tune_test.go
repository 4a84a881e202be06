package jobs_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/facesoft/lapse/config"
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

// The levels that are found hold what they promise when rows are published at them.
func TestPublicationAtTunedLevelsCostsWhatWasFound(t *testing.T) {
	t.Parallel()
	var rows strings.Builder
	rows.WriteString("user;at;country;age;illness\n")
	r := rand.New(rand.NewPCG(1, 1))
	for range 400 {
		rows.WriteString(fmt.Sprintf("u%d;2024-01-%d;%s;%d;flu\n", r.IntN(60), 12+r.IntN(2), []string{"GB", "FR", "US", "DE"}[min(r.IntN(4), r.IntN(4))], 15+min(r.IntN(60), r.IntN(60))))
	}
	p, best := tuned(t, rows.String())
	d := &p.Datasets[0]
	d.Publish.Chain = []map[string]int{{"country": best.Levels[0], "age": best.Levels[1]}}
	store, _ := sinktest.Store(t, p)
	sample, err := jobs.ReadSample(strings.NewReader(rows.String()), d, 1000, func(b *sinks.Block) error {
		return store.Insert(t.Context(), b, sinks.NewID())
	})
	if err != nil {
		t.Fatal(err)
	}
	staged, err := store.Stage(t.Context(), d.Name, sample.Partitions)
	if err != nil {
		t.Fatal(err)
	}
	suppressed, published := 0, 0
	for _, pub := range staged.Publications() {
		suppressed, published = suppressed+int(pub.Suppressed), published+int(pub.Published)
	}
	if suppressed != best.Cost.Suppressed || published+suppressed != best.Cost.Rows || suppressed == 0 || best.Levels[0]+best.Levels[1] == 0 {
		t.Errorf("%d rows published and %d suppressed, where %+v was found", published, suppressed, best.Cost)
	}
}

// tuned finds the best levels for rows under k alone, which is all that publication
// can hold to, and returns the policy for it.
func tuned(t *testing.T, csv string) (*config.Policy, kanon.Solution) {
	t.Helper()
	problem, err := kanon.New(answersTable(t, csv), kanon.Requirement{K: 5, SuppressionLimit: 0.1}, kanon.LossOf(kanon.NonUniformEntropy))
	if err != nil {
		t.Fatal(err)
	}
	best, err := problem.Best(t.Context(), 1)
	if err != nil || len(best) == 0 {
		t.Fatalf("%v: %v", best, err)
	}
	text := strings.NewReplacer("k: 3\n", "k: 5\n", "      suppression_limit: 10%\n", "").Replace(tunePolicy)
	head, rest, _ := strings.Cut(text, "        - {name: illness, from: illness, sensitive")
	_, tail, _ := strings.Cut(rest, "\n")
	return sinktest.Policy(t, []byte(head+tail)), best[0]
}
