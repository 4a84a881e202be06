package clickhouse_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// publication is a random way to publish visits.
type publication struct {
	k         int
	limit     float64 // 1: none
	sensitive bool    // the country is a sensitive column, and no part of the class
	distinct  int
	entropy   float64
	recursive bool // with c = 2 and l = 2
	closeness float64
	chain     [][3]int // levels of hour, page and country
}

func randomPublication(r *rand.Rand) publication {
	p := publication{k: 2 + r.IntN(4), limit: []float64{1, 1, 0.5, 0.1}[r.IntN(4)], sensitive: r.IntN(3) > 0}
	if p.sensitive {
		for p.distinct+int(p.entropy*10)+int(p.closeness*100) == 0 && !p.recursive {
			p.distinct = []int{0, 2, 3}[r.IntN(3)]
			p.entropy = []float64{0, 1.5, 2, 2.7}[r.IntN(4)]
			p.recursive = r.IntN(3) == 0
			p.closeness = []float64{0, 0.2, 0.5}[r.IntN(3)]
		}
	}
	most := [3]int{1, 2, 1}
	if p.sensitive {
		most[2] = 0
	}
	var level [3]int
	for {
		p.chain = append(p.chain, level)
		var room []int
		for i := range most {
			if level[i] < most[i] {
				room = append(room, i)
			}
		}
		if len(room) == 0 || len(p.chain) > 1 && r.IntN(4) == 0 {
			return p
		}
		for range 1 + r.IntN(2) {
			if i := room[r.IntN(len(room))]; level[i] < most[i] {
				level[i]++
			}
		}
	}
}

// policy writes the policy above with this publication in place of its own.
func (p publication) policy() string {
	country := "levels: [keep, any]"
	if p.sensitive {
		var asked []string
		if p.distinct > 0 {
			asked = append(asked, fmt.Sprint("distinct_l: ", p.distinct))
		}
		if p.entropy > 0 {
			asked = append(asked, fmt.Sprint("entropy_l: ", p.entropy))
		}
		if p.recursive {
			asked = append(asked, "recursive: {c: 2, l: 2}")
		}
		if p.closeness > 0 {
			asked = append(asked, fmt.Sprint("t: ", p.closeness))
		}
		country = "sensitive: {" + strings.Join(asked, ", ") + "}"
	}
	var chain []string
	for _, v := range p.chain {
		step := fmt.Sprintf("hour: %d, page: %d", v[0], v[1])
		if !p.sensitive {
			step += fmt.Sprint(", country: ", v[2])
		}
		chain = append(chain, "{"+step+"}")
	}
	before, _, _ := strings.Cut(visits, "    publish:\n")
	return before + fmt.Sprintf("    publish:\n      k: %d\n      suppression_limit: %g\n      columns:\n"+
		"        - {name: hour, from: at, levels: [hour, day]}\n        - {name: page, from: path, levels: [url_path, url_section, any]}\n"+
		"        - {name: country, from: country, %s}\n        - {name: ms, from: ms, measure: true}\n      chain: [%s]\n", p.k, p.limit, country, strings.Join(chain, ", "))
}

// class generalises a visit, independently of the program.
func (p publication) class(v visit, level int) string {
	vector := p.chain[level]
	hour, page, country := v.hour, v.path, v.country
	if vector[0] == 1 {
		hour = 0
	}
	switch vector[1] {
	case 1:
		page = "/" + strings.Split(v.path+"/", "/")[1]
	case 2:
		page = "*"
	}
	if vector[2] == 1 || p.sensitive {
		country = "*"
	}
	return fmt.Sprint(v.day, "|", hour, "|", page, "|", country, "|", level)
}

// holds checks all that is asked of a class, row by row and with maps.
func (p publication) holds(class, all []visit, person func(visit) string) bool {
	people := map[string]bool{}
	for _, v := range class {
		people[person(v)] = true
	}
	if len(people) < p.k || !p.sensitive {
		return len(people) >= p.k
	}
	here, overall := valuesOf(class, person), valuesOf(all, person)
	counts := slices.SortedFunc(maps.Values(here), func(a, b float64) int { return int(b - a) })
	total, everywhere := sum(counts), sum(slices.Collect(maps.Values(overall)))
	entropy, distance := 0.0, 0.0
	for _, n := range counts {
		entropy -= n / total * math.Log(n/total)
	}
	for value, n := range overall {
		distance += math.Abs(here[value]/total-n/everywhere) / 2
	}
	return len(counts) >= p.distinct &&
		(p.entropy == 0 || entropy >= math.Log(p.entropy)-1e-9) &&
		(!p.recursive || len(counts) > 1 && counts[0] < 2*sum(counts[1:])) &&
		(p.closeness == 0 || distance <= p.closeness+1e-9)
}

// valuesOf counts the people of whom each value is known.
func valuesOf(rows []visit, person func(visit) string) map[string]float64 {
	seen, counts := map[string]bool{}, map[string]float64{}
	for _, v := range rows {
		if key := person(v) + "|" + v.country; !seen[key] {
			seen[key] = true
			counts[v.country]++
		}
	}
	return counts
}

func sum(counts []float64) (total float64) {
	for _, n := range counts {
		total += n
	}
	return total
}

// expected publishes one day: the rows of each class that is published, by what
// is published of them.
func (p publication) expected(rows []visit) (classes map[string][]visit, suppressed int) {
	person := persons(rows)
	classes = map[string][]visit{}
	rest := rows
	for level := range p.chain {
		candidates := map[string][]visit{}
		for _, v := range rest {
			candidates[p.class(v, level)] = append(candidates[p.class(v, level)], v)
		}
		rest = nil
		for name, class := range candidates {
			if p.holds(class, rows, person) {
				classes[name] = class
			} else {
				rest = append(rest, class...)
			}
		}
	}
	return classes, len(rest)
}

// I4 for any policy and any data: what is published is what an independent reading of
// the policy gives, class by class and value by value.
func TestWhateverThePolicyItsRequirementsHold(t *testing.T) {
	t.Parallel()
	seeds := uint64(12)
	if os.Getenv("LAPSE_SOAK") != "" {
		seeds = 300
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			p := randomPublication(r)
			var rows []visit
			for range 30 + r.IntN(400) {
				v := visit{hour: r.IntN(3), path: fmt.Sprintf("/s%d/p%d", r.IntN(3), r.IntN(4)), country: []string{"GB", "DE", "FR", "", "GB"}[r.IntN(5)]}
				who := r.IntN(40)
				if r.IntN(2) == 0 {
					v.user = fmt.Sprint("user", who)
				}
				if v.user == "" || r.IntN(2) == 0 {
					v.visitor = fmt.Sprint("visitor", who)
				}
				rows = append(rows, v)
			}
			p.check(t, rows)
		})
	}
}

func (p publication) check(t *testing.T, rows []visit) {
	t.Helper()
	s, o := sinktest.Store(t, sinktest.Policy(t, []byte(p.policy())))
	insert(t, s, 1, rows)
	staged, err := s.Stage(t.Context(), "visits", []sinks.Partition{day(0)})
	if err != nil {
		t.Fatal(err)
	}
	defer staged.Discard(t.Context()) //nolint:errcheck // a test's
	classes, suppressed := p.expected(rows)
	want, values := map[string]int{}, map[string]int{}
	for name, class := range classes {
		want[name] = len(class)
		for _, v := range class {
			values[name+"|"+v.country]++
		}
	}
	err = staged.Publish(t.Context(), day(0))
	if over := float64(suppressed) > p.limit*float64(len(rows)); over != errors.Is(err, sinks.ErrSuppression) || !over && err != nil {
		t.Fatalf("%d of %d rows are suppressed, with a limit of %g: %v", suppressed, len(rows), p.limit, err)
	} else if over {
		want, values = nil, nil
	}
	if err := staged.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	got, gotValues := map[string]int{}, map[string]int{}
	for _, row := range query(t, o, "SELECT toString(day - toDate('2024-01-01')), toString(toHour(hour)), page, country, toString(lapse_level), count() FROM visits GROUP BY ALL") {
		name := fmt.Sprintf("%s|%s|%s|%s|%s", row[:5]...)
		if p.sensitive {
			name = fmt.Sprintf("%s|%s|%s|*|%s", row[0], row[1], row[2], row[4])
			gotValues[name+"|"+row[3].(string)] += int(row[5].(uint64))
		}
		got[name] += int(row[5].(uint64))
	}
	if !maps.Equal(got, want) && len(got)+len(want) > 0 {
		t.Errorf("%+v: published are %v, want %v", p, got, want)
	}
	if p.sensitive && !maps.Equal(gotValues, values) && len(gotValues)+len(values) > 0 {
		t.Errorf("%+v: published values are %v, want %v", p, gotValues, values)
	}
}

// Verification sees by itself that sensitive values are too much alike, or others than
// the personal rows have.
func TestVerificationNoticesSensitiveValues(t *testing.T) {
	t.Parallel()
	p := publication{k: 3, limit: 1, sensitive: true, distinct: 2, chain: [][3]int{{0, 0, 0}}}
	for name, c := range map[string]struct{ damage, want string }{
		"other values": {"ALTER TABLE {published}.visits UPDATE country = 'XX' WHERE 1 SETTINGS mutations_sync = 2", "sensitive values are not published as often"},
		"as they are":  {"SELECT 1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, o := sinktest.Store(t, sinktest.Policy(t, []byte(p.policy())))
			insert(t, s, 1, []visit{{user: "a", path: "/", country: "GB"}, {user: "b", path: "/", country: "DE"}, {user: "c", path: "/", country: "GB"}})
			staged, err := s.Stage(t.Context(), "visits", []sinks.Partition{day(0)})
			if err != nil {
				t.Fatal(err)
			}
			if err := staged.Publish(t.Context(), day(0)); err != nil {
				t.Fatal(err)
			}
			execute(t, o, statement(o, c.damage))
			err = staged.Verify(t.Context())
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// A sensitive text that names somebody is not published, and its row does not count.
func TestSensitiveTextsWithIdentifiersAreNotPublished(t *testing.T) {
	t.Parallel()
	p := publication{k: 3, limit: 1, sensitive: true, distinct: 2, chain: [][3]int{{0, 0, 0}}}
	s, o := sinktest.Store(t, sinktest.Policy(t, []byte(p.policy())))
	rows := []visit{{user: "somebody1", path: "/", country: "GB"}, {user: "b", path: "/", country: "DE"}, {user: "c", path: "/", country: "GB"}, {user: "d", path: "/", country: "near somebody1"}}
	insert(t, s, 1, rows)
	pub := publish(t, s, day(0))[day(0)]
	if got := fmt.Sprint(query(t, o, "SELECT country, count() FROM visits GROUP BY 1 ORDER BY 1")); got != "[[DE 1] [GB 2]]" || pub.Suppressed != 1 || pub.Rows != 4 {
		t.Errorf("published are %s, %+v", got, pub)
	}
}

func TestLossIsTheShareOfDetailThatIsGone(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	var rows []visit
	for i := range 3 { // as they are
		rows = append(rows, visit{user: fmt.Sprint("a", i), path: "/a/1", country: "GB"})
	}
	for i := range 3 { // with the day and the section: levels 1 of 1, 1 of 2 and 0 of 1
		rows = append(rows, visit{user: fmt.Sprint("b", i), hour: i, path: "/b/1", country: "GB"})
	}
	rows = append(rows, visit{user: "c", path: "/c", country: "DE"}, visit{user: "d", path: "/d", country: "FR"}) // suppressed
	insert(t, s, 1, rows)
	pub := publish(t, s, day(0))[day(0)]
	if want := (3*0.5 + 2) / 8; math.Abs(pub.Loss-want) > 1e-9 || pub.Suppressed != 2 {
		t.Errorf("the loss is %g, want %g; %d suppressed", pub.Loss, want, pub.Suppressed)
	}
}
