package clickhouse_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/facesoft/lapse/sinks/sinktest"
)

// How many people the smallest class holds is exact, and they are mostly counted once: only
// up to k, or all, as was enough the last time.
func TestSmallestClassIsCountedExactly(t *testing.T) {
	t.Parallel()
	s, _, taken := recording(t)
	smallest := []int{3, 5, 4, 3, 3, 12} // k is 3
	var rows []visit
	for n, people := range smallest {
		for i := range people {
			rows = append(rows, visit{day: n, user: fmt.Sprint("u", i), path: "/a", country: "GB"}, visit{day: n, user: fmt.Sprint("u", i), path: "/a", country: "GB"})
		}
		for i := range 20 {
			rows = append(rows, visit{day: n, user: fmt.Sprint("u", i), path: "/b", country: "GB"})
		}
	}
	insert(t, s, 1, rows)
	for n, counted := range []int{1, 2, 1, 1, 1, 2} {
		taken()
		p := publish(t, s, day(n))[day(n)]
		if p.K.Smallest != uint64(smallest[n]) || p.K.Classes != 2 {
			t.Errorf("day %d: %d classes, the smallest of %d people; want 2 and %d", n, p.K.Classes, p.K.Smallest, smallest[n])
		}
		if got := occurrences(taken(), "count_classes"); got != counted {
			t.Errorf("day %d: counted %d times, want %d", n, got, counted)
		}
	}
	for p, pub := range publish(t, s, day(0), day(5)) { // one of which alone would need no more than k
		want := uint64(3)
		if p == day(5) {
			want = 12
		}
		if pub.K.Smallest != want {
			t.Errorf("%s: the smallest class holds %d people, want %d", p, pub.K.Smallest, want)
		}
	}
}

// ClickHouse counts up to 100 and no further.
func TestManyPeopleMayBeAskedForOfAClass(t *testing.T) {
	t.Parallel()
	for _, k := range []int{100, 101} {
		s, _ := sinktest.Store(t, sinktest.Policy(t, []byte(strings.Replace(visits, "k: 3", fmt.Sprint("k: ", k), 1))))
		var rows []visit
		for i := range k + 1 {
			rows = append(rows, visit{user: fmt.Sprint("u", i), path: "/a", country: "GB"}, visit{day: 1, user: fmt.Sprint("u", i%(k-1)), path: "/a", country: "GB"})
		}
		insert(t, s, 1, rows)
		pubs := publish(t, s, day(0), day(1))
		if p := pubs[day(0)]; p.K.Smallest != uint64(k+1) || p.Published != uint64(k+1) {
			t.Errorf("k = %d: %d rows are published, in classes of %d people", k, p.Published, p.K.Smallest)
		}
		if p := pubs[day(1)]; p.Published != 0 || p.Subjects != uint64(k-1) {
			t.Errorf("k = %d: %d rows of %d people are published", k, p.Published, p.Subjects)
		}
	}
}
