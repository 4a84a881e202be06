package jobs_test

import (
	"fmt"
	"runtime/debug"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// fillDays makes n events of 20,000 people over some days from the first of January
// 2024, as a shop has them: some pages for everyone, and one for each item.
func (s *site) fillDays(n, days int) {
	s.Helper()
	s.execute(fmt.Sprintf(`INSERT INTO {personal}.events (occurred_at, call, name, user_id, anonymous_id, device_id, ip, user_agent, browser, os, device_type,
			locale, country, city, url, referrer, duration_ms, response_ms, scroll_depth, clicks, lapse_record, lapse_source, lapse_position)
		WITH rand(1) %% 20000 AS who, 1 + rand(2) %% 4 AS what
		SELECT toDateTime64('2024-01-01 00:00:00', 3, 'UTC') + toIntervalDay(number %% %d) + toIntervalSecond(rand(3) %% 86400),
			if(rand(4) %% 8 = 0, 'track', 'page'), ['Home', 'Search', 'Basket', 'Item'][what],
			if(rand(5) %% 3 = 0, concat('user-', toString(who)), ''), concat('visitor-', toString(who)), concat('device-', toString(who)),
			IPv4NumToString(toUInt32(sipHash64(who, rand(6) %% 3))), concat('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/', toString(who %% 60), '.0 Safari/537.36'),
			['Chrome', 'Firefox', 'Safari', 'Edge'][1 + who %% 4], ['Windows', 'macOS', 'Linux', 'Android', 'iOS'][1 + who %% 5], ['desktop', 'mobile'][1 + who %% 3 %% 2],
			['en-GB', 'fr-FR', 'de-DE', 'nl-NL'][1 + who %% 7 %% 4], ['GB', 'FR', 'DE', 'NL'][1 + who %% 7 %% 4], ['London', 'Paris', 'Berlin', 'Leiden'][1 + who %% 7 %% 4],
			concat('https://shop.example/', ['home', 'search', 'basket', concat('item/', toString(rand(7) %% 5000))][what], '?session=', hex(rand64(8))),
			['', 'https://search.example/?q=shoes', 'https://news.example/today'][1 + rand(9) %% 3],
			rand(10) %% 60000, rand(11) %% 900, rand(12) %% 100, rand(13) %% 9,
			reinterpretAsUUID(sipHash128(number)), 1, number
		FROM numbers(%d)
		SETTINGS max_partitions_per_insert_block = 0, max_insert_threads = 2, min_insert_block_size_rows = 4000000`, days, n))
	s.execute("INSERT INTO {control}.sources (source, lapse_source, dated, state) VALUES (generateUUIDv4(), 1, false, 'complete')")
	s.execute("OPTIMIZE TABLE {personal}.events FINAL")
	s.settle()
}

// published is what the finest level publishes of an event, written by hand.
const published = `toStartOfHour(toDateTime(occurred_at, 'UTC')) AS hour, call, name,
	replaceRegexpAll(cutQueryStringAndFragment(path(url)), '/([0-9]+|[0-9a-zA-Z_-]*[0-9][0-9a-zA-Z_-]{15,}|[^/]*@[^/]*|[^/]{40,})', '/:id') AS page,
	domain(referrer) AS referrer_host, device_type, browser, os, country, splitByChar('-', locale)[1] AS language,
	duration_ms, response_ms, visit_ms, scroll_depth, clicks, mouse_overs`

// BenchmarkAnonymise takes a partition of events the whole way: the first three vectors of
// the chain, publication, verification, drop, proof of absence, audit. Beside it ClickHouse does, with nothing
// of all that, a bare INSERT … SELECT of the same published columns, and an ALTER …
// UPDATE that generalises or blanks ten columns in place.
//
// It reports the time, as it is and as multiples of theirs, and the most memory that
// this process held meanwhile. LAPSE_BENCH_EVENTS says how many rows there are.
func BenchmarkAnonymise(b *testing.B) {
	n := benchEvents(b)
	for b.Loop() {
		var took, inserting, updating []float64
		memory := 0.0
		for range 3 {
			s := newSite(b, config.Facesoft)
			events, _ := s.policy.Dataset("events")
			events.Publish.Chain = events.Publish.Chain[:3]
			s.fillDays(n, 1)
			s.execute("CREATE TABLE {personal}.updated AS {personal}.events")
			s.execute("ALTER TABLE {personal}.updated ATTACH PARTITION ID '20240101-0' FROM {personal}.events")
			s.execute("CREATE TABLE {personal}.inserted ENGINE = MergeTree ORDER BY hour EMPTY AS SELECT " + published + " FROM {personal}.events")
			inserting = append(inserting, timed(func() {
				s.execute("INSERT INTO {personal}.inserted SELECT " + published + " FROM {personal}.events SETTINGS max_insert_threads = 2")
			}))
			s.settle()
			updating = append(updating, timed(func() {
				s.execute(`ALTER TABLE {personal}.updated UPDATE user_id = '', anonymous_id = '', device_id = '', ip = '', user_agent = '', city = '',
					url = replaceRegexpAll(cutQueryStringAndFragment(path(url)), '/([0-9]+|[0-9a-zA-Z_-]*[0-9][0-9a-zA-Z_-]{15,}|[^/]*@[^/]*|[^/]{40,})', '/:id'),
					referrer = domain(referrer), locale = splitByChar('-', locale)[1], response_ms = intDiv(response_ms, 100) * 100
					WHERE 1 SETTINGS mutations_sync = 2`)
			}))
			debug.FreeOSMemory()
			resetPeak(b)
			took = append(took, timed(func() { s.anonymise(asOf) }))
			memory = max(memory, peak(b))
			if left := s.count("SELECT count() FROM {personal}.events"); left != 0 {
				b.Fatalf("%d rows are left", left)
			}
			if rows := s.count("SELECT count() FROM {published}.events"); rows < n*9/10 {
				b.Fatalf("only %d rows of %d are published", rows, n)
			}
			s.execute("DROP TABLE {personal}.updated")
			s.execute("DROP TABLE {personal}.inserted")
			s.execute("TRUNCATE TABLE {published}.events")
		}
		b.ReportMetric(median(took), "s")
		b.ReportMetric(median(inserting), "insert-s")
		b.ReportMetric(median(took)/median(inserting), "of-insert")
		b.ReportMetric(median(updating), "update-s")
		b.ReportMetric(median(took)/median(updating), "of-update")
		b.ReportMetric(memory, "MiB-peak")
	}
}

// BenchmarkAnonymiseYear anonymises a year of days, and the same year with a quarter of the
// rows. It reports the rows a second of both: as many where the time is linear.
func BenchmarkAnonymiseYear(b *testing.B) {
	const days = 365
	n := benchEvents(b)
	for b.Loop() {
		var rate [2]float64
		memory := 0.0
		for i, rows := range [2]int{n / 4, n} {
			s := newSite(b, config.Facesoft)
			s.fillDays(rows, days)
			debug.FreeOSMemory()
			resetPeak(b)
			rate[i] = float64(rows) / timed(func() { s.anonymise(asOf.AddDate(1, 0, 0)) })
			memory = max(memory, peak(b))
			if left := s.count("SELECT count() FROM {personal}.events"); left != 0 {
				b.Fatalf("%d rows are left", left)
			}
			s.execute("TRUNCATE TABLE {published}.events")
		}
		b.ReportMetric(rate[0], "quarter-rows/s")
		b.ReportMetric(rate[1], "rows/s")
		b.ReportMetric(memory, "MiB-peak")
	}
}

// BenchmarkPlanAnonymise plans over 400 partitions that are all due.
func BenchmarkPlanAnonymise(b *testing.B) {
	s := newSite(b, config.Facesoft)
	s.fillDays(400_000, benchDays)
	var planning []float64
	for b.Loop() {
		planning = append(planning, timed(func() {
			steps, err := s.anonymiseJob().Plan(b.Context(), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
			if err != nil || len(steps) != benchDays || steps[0].Action != sinks.ActionAnonymise {
				b.Fatalf("%d steps, %v", len(steps), err)
			}
		}))
	}
	b.ReportMetric(median(planning), "s")
}
