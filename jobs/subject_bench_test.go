package jobs_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// benchEvents is how many events the benchmark of erasures holds; make bench-erase takes
// 50 million.
func benchEvents(b *testing.B) int {
	b.Helper()
	text := os.Getenv("LAPSE_BENCH_EVENTS")
	if text == "" {
		return 1_000_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// fileSystemForgets is how long ext4 keeps away from what was removed; see recently_deleted
// in its ialloc.c.
const fileSystemForgets = 5*time.Minute + 10*time.Second

const (
	benchPeople = 1000
	benchDays   = 400
	benchOneIn  = 100 // events are of the people who are erased, in all days alike
)

// fillEvents makes events of 100,000 people, of which 1,000 have one in a hundred.
func (s *site) fillEvents(n int) {
	s.Helper()
	s.execute(fmt.Sprintf(`INSERT INTO {personal}.events (occurred_at, call, name, user_id, anonymous_id, country, city, ip, user_agent, url, lapse_record, lapse_source, lapse_position)
		SELECT toDateTime64('2024-01-01 00:00:00', 3, 'UTC') + toIntervalDay(number %% %d) + toIntervalSecond(rand(1) %% 86400),
			'page', ['Home', 'Search', 'Item', 'Basket', 'Help'][1 + rand(2) %% 5],
			if(number %% 40000 < 40000 / %d, concat('erased-', toString(rand(3) %% %d)), concat('user-', toString(rand(3) %% 99000))) AS who, concat('visitor-', who),
			['GB', 'FR', 'DE', 'NL'][1 + rand(4) %% 4], ['London', 'Paris', 'Berlin', 'Leiden'][1 + rand(4) %% 4], IPv4NumToString(rand(5)),
			concat('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/', toString(rand(6) %% 60), '.0 Safari/537.36'),
			concat('https://shop.example/', toString(rand(7) %% 5000), '?session=', hex(rand64(8))),
			reinterpretAsUUID(sipHash128(number)), 1, number
		FROM numbers(%d)
		SETTINGS max_partitions_per_insert_block = 0, max_insert_threads = 2`, benchDays, benchOneIn, benchPeople, n))
	s.execute("OPTIMIZE TABLE {personal}.events FINAL") // as they are once their days are over
}

// settle waits until the engine has come to rest and all is on disk, so that neither merges
// nor the removal of what they have left is measured: no table shows the latter.
func (s *site) settle() {
	s.Helper()
	pid := sinktest.Engine(s).EnginePID
	busy := func() (ticks float64) {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			s.Skipf("whether the engine is at rest cannot be seen here: %v", err)
		}
		_, rest, _ := strings.Cut(string(raw), ") ")
		for _, field := range strings.Fields(rest)[11:13] { // user and system time; see proc(5)
			n, err := strconv.ParseFloat(field, 64)
			if err != nil {
				s.Fatal(err)
			}
			ticks += n
		}
		return ticks
	}
	unix.Sync()
	for before, quiet := busy(), 0; quiet < 3; {
		time.Sleep(time.Second)
		now := busy()
		if quiet++; now-before > 10 { // hundredths of a second
			quiet = 0
		}
		before = now
	}
}

// bareErasure is a second table of the same events, from which ClickHouse deletes.
type bareErasure struct {
	*site
	table string
}

func (s *site) copyEvents(name string) bareErasure {
	s.Helper()
	s.execute("CREATE TABLE {personal}." + name + " AS {personal}.events")
	for day := range benchDays {
		id := time.Date(2024, 1, 1+day, 0, 0, 0, 0, time.UTC).Format("20060102") + "-0"
		s.execute("ALTER TABLE {personal}." + name + " ATTACH PARTITION ID '" + id + "' FROM {personal}.events")
	}
	return bareErasure{s, "{personal}." + name}
}

// erase deletes the people's events by one bare ALTER … DELETE, and takes that long.
func (b bareErasure) erase() float64 {
	b.Helper()
	b.settle()
	return timed(func() {
		b.execute("ALTER TABLE " + b.table + " DELETE WHERE user_id IN (SELECT u FROM {personal}.who) SETTINGS mutations_sync = 2")
	})
}

// BenchmarkErasePeople erases 1,000 people from events over 400 days, proof of absence
// included, beside one bare ALTER … DELETE of the same people from the same table, once
// before and once after it; and finds one person's rows there.
//
// A further table keeps the files of before: for five minutes after files were removed ext4
// takes several times as long to make others, and whoever came second would pay for the
// first. For the same reason it waits as long after many events were stored, and merged.
func BenchmarkErasePeople(b *testing.B) {
	n := benchEvents(b)
	for range b.N {
		b.StopTimer()
		s := newSite(b, config.Facesoft)
		s.fillEvents(n)
		before, after, _ := s.copyEvents("before"), s.copyEvents("after"), s.copyEvents("kept")
		users := make([]string, benchPeople)
		for i := range users {
			users[i] = fmt.Sprint("erased-", i)
		}
		if n >= 10_000_000 {
			time.Sleep(fileSystemForgets)
		}
		one := sinks.Person{ID: sinks.NewID(), Identifiers: []sinks.Identifier{{Column: "user_id", Text: "user-17"}}}
		s.settle()
		find := time.Hour
		for range 5 {
			start := time.Now()
			err := s.store.EachPersonRow(b.Context(), "events", one, []string{"occurred_at", "name", "url"}, sinks.RowsAsJSON, func(string) error { return nil })
			if err != nil {
				b.Fatal(err)
			}
			find = min(find, time.Since(start))
		}
		at := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
		s.ask(at, users...)
		s.execute("CREATE TABLE {personal}.who (u String) ENGINE = Memory")
		s.execute(fmt.Sprintf("INSERT INTO {personal}.who SELECT concat('erased-', toString(number)) FROM numbers(%d)", benchPeople))
		bare := before.erase()
		s.settle()
		b.StartTimer()
		took := timed(func() { s.erase(at) })
		b.StopTimer()
		if left := s.count("SELECT count() FROM {personal}.events WHERE startsWith(user_id, 'erased-')"); left != 0 {
			b.Fatalf("%d rows are left", left)
		}
		bareAfter := after.erase()
		b.ReportMetric(took, "erase-s")
		b.ReportMetric(bare, "bare-before-s")
		b.ReportMetric(bareAfter, "bare-after-s")
		b.ReportMetric(2*took/(bare+bareAfter), "ratio")
		b.ReportMetric(float64(find.Milliseconds()), "find-ms")
	}
}
