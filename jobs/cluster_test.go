package jobs_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// cluster is a site on several nodes.
type cluster struct {
	*site
	nodes *sinktest.Nodes
}

func newCluster(t *testing.T, replicas ...int) *cluster {
	t.Helper()
	return newClusterFor(t, config.Facesoft, replicas...)
}

func newClusterFor(t *testing.T, policy []byte, replicas ...int) *cluster {
	t.Helper()
	p := sinktest.Policy(t, policy)
	n := sinktest.StartNodes(t, p, replicas...)
	c := &cluster{newSiteOn(t, p, n.Options), n}
	if err := c.store.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// on counts what a statement gives on a node.
func (c *cluster) on(node int, sql string) (n int) {
	c.Helper()
	_, rows, err := clickhouse.QueryAnalytics(c.Context(), c.nodes.On(node), c.fill(sql))
	if err != nil {
		c.Fatal(err)
	}
	if _, err := fmt.Sscan(fmt.Sprint(rows[0][0]), &n); err != nil {
		c.Fatal(err)
	}
	return n
}

// devices are a day of people who come often enough that each shard has many of them. Each
// has some devices; on each they sign in at home, and look at another page before and
// after without being known.
func devices(people, each int, page string) []byte {
	var b strings.Builder
	for n := range people {
		for device := range each {
			for visit := range 4 {
				at := end(0).Add(10 * time.Hour).Format(time.RFC3339)
				user, path := "", page
				if visit == 1 {
					user, path = fmt.Sprintf(`"userId":"%s-%d",`, page, n), "home"
				}
				fmt.Fprintf(&b, `{"type":"page","messageId":"%s-%d-%d-%d",%s"anonymousId":"visitor-%s-%d-%d","timestamp":%q,"context":{"page":{"url":"https://example.org/%s"}}}`+"\n",
					page, n, device, visit, user, page, n, device, at, path)
			}
		}
	}
	return []byte(b.String())
}

func TestADayOverShardsIsExact(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, 1, 1)
	day := append(devices(400, 2, "often"), devices(9, 6, "rare")...)
	const lines = 4 * (400*2 + 9*6)
	path := c.write("day", day)
	if n := c.ingest(end(1), path).Outcomes[0].Counts[sinks.CountStored]; n != lines {
		t.Errorf("%d of %d records are stored", n, lines)
	}
	sum := 0
	for node := range 3 {
		n := c.on(node, "SELECT count() FROM {personal}.events")
		if sum += n; n < lines/5 {
			t.Errorf("node %d has %d of %d rows: they are not spread", node, n, lines)
		}
	}
	if sum != lines {
		t.Errorf("the nodes have %d rows, want %d", sum, lines)
	}
	again := c.ingest(end(1), c.write("copy", append([]byte("\n"), day...)))
	if o := again.Outcomes[0].Counts; o[sinks.CountDuplicate] != lines || o[sinks.CountStored] != 0 {
		t.Errorf("the same records in another file: %v", o)
	}

	report := c.anonymise(end(40))
	if len(report.Outcomes) != 3 {
		t.Errorf("%d steps, want one for each shard", len(report.Outcomes))
	}
	var published, suppressed uint64
	for _, o := range report.Outcomes {
		published, suppressed = published+o.Counts[sinks.CountPublished], suppressed+o.Counts[sinks.CountSuppressed]
		if o.K.Smallest < 10 && o.Counts[sinks.CountPublished] > 0 {
			t.Errorf("%s: a class of %d people", o.Step.Partition, o.K.Smallest)
		}
	}
	if published+suppressed != lines {
		t.Errorf("%d published and %d suppressed of %d", published, suppressed, lines)
	}
	for node := range 3 {
		if n := c.on(node, "SELECT count() FROM {personal}.events"); n > 0 {
			t.Errorf("node %d still has %d personal rows", node, n)
		}
		if n := c.on(node, "SELECT count() FROM {published}.events"); uint64(n) != published {
			t.Errorf("through node %d analysts see %d rows of %d", node, n, published)
		}
	}
	// Nine people on six devices each are fewer than ten, wherever their devices' rows lie.
	if n := c.count("SELECT count() FROM {published}.events WHERE page = '/rare'"); n > 0 {
		t.Errorf("%d visits of nine people to a page are published", n)
	}
	if n := c.count("SELECT count() FROM {published}.events WHERE page = '/often'"); n == 0 {
		t.Error("no visits of 400 people to a page are published")
	}
	c.audited()
}

func TestAnalystReadsAllShardsAndNothingPersonal(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, 1)
	c.ingest(end(1), c.write("day", devices(100, 1, "often")))
	c.anonymise(end(40))
	for node := range 2 {
		_, rows, err := clickhouse.QueryAnalytics(t.Context(), c.nodes.Analyst(node), "SELECT count() FROM events")
		if err != nil || fmt.Sprint(rows[0][0]) == "0" {
			t.Errorf("node %d: %v, %v", node, rows, err)
		}
		for _, sql := range []string{"SELECT count() FROM {personal}.events", "SELECT count() FROM {control}.all_events", "SELECT count() FROM {control}.holds"} {
			if _, _, err := clickhouse.QueryAnalytics(t.Context(), c.nodes.Analyst(node), c.fill(sql)); err == nil {
				t.Errorf("node %d: an analyst may run %s", node, sql)
			}
		}
	}
}

func TestABrokenShardDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, 1, 1)
	c.ingest(end(1), c.write("day", devices(200, 1, "often")))
	rows := []int{}
	for node := range 3 {
		rows = append(rows, c.on(node, "SELECT count() FROM {personal}.events"))
	}
	c.nodes.Stop(1)
	for _, known := range []bool{true, false} { // to a worker that has been connected to it, and to one that has not
		if !known {
			c.worker = c.newWorker(nil)
			if err := c.store.Prepare(t.Context()); err != nil {
				t.Errorf("prepare without a shard: %v", err)
			}
		}
		report, err := c.run(t.Context(), c.anonymiseJob(), end(40))
		if !errors.Is(err, sinks.ErrUnavailable) || !strings.Contains(fmt.Sprint(err), "shard 2 ("+c.nodes.On(1).Addresses[0]+")") {
			t.Errorf("%v; want it to say that shard 2 does not answer", err)
		}
		if known && (report.Result != sinks.ResultPartial || len(report.Outcomes) != 2 || report.Failed > 0) {
			t.Errorf("%s, %d steps, %d of them failed", report.Result, len(report.Outcomes), report.Failed)
		}
		for _, node := range []int{0, 2} {
			if n := c.on(node, "SELECT count() FROM {personal}.events"); n > 0 {
				t.Errorf("node %d still has %d of %d rows", node, n, rows[node])
			}
		}
	}
	if _, err := c.run(t.Context(), c.ingestJob(c.write("more", devices(10, 1, "later"))), end(1)); !errors.Is(err, sinks.ErrUnavailable) {
		t.Errorf("ingest without a shard: %v", err)
	}
	c.nodes.Start(1)
	c.worker = c.newWorker(nil)
	if n := c.on(1, "SELECT count() FROM {personal}.events"); n != rows[1] {
		t.Errorf("the shard has %d rows of %d after it was started again", n, rows[1])
	}
	c.ingest(end(1), c.write("more", devices(10, 1, "later")))
	c.anonymise(end(40))
	for node := range 3 {
		if n := c.on(node, "SELECT count() FROM {personal}.events"); n > 0 {
			t.Errorf("node %d still has %d rows", node, n)
		}
	}
	c.audited()
}

func TestErasedPeopleAreGoneFromAllShards(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, 1, 1)
	c.ingest(end(1), c.write("day", append(devices(30, 6, "often"), []byte(`{"type":"identify","messageId":"i","userId":"often-7","anonymousId":"visitor-often-7-0","timestamp":"2024-01-01T09:00:00Z","traits":{"email":"a@example.org"}}`+"\n")...)))
	const his = "user_id = 'often-7' OR startsWith(anonymous_id, 'visitor-often-7-')"
	of := func(node int) int {
		return c.on(node, "SELECT count() FROM {personal}.events WHERE "+his) + c.on(node, "SELECT count() FROM {personal}.accounts WHERE "+his)
	}
	before := []int{of(0), of(1), of(2)}
	if before[0]+before[1]+before[2] != 25 || slices.Contains(before, 0) {
		t.Fatalf("he has rows on the nodes: %v, want 25 over all of them", before)
	}
	ids := c.ask(end(1), "often-7")
	c.must(c.subjectJob(), end(1)) // enters it
	c.nodes.Stop(2)
	report, err := c.run(t.Context(), c.subjectJob(), end(1))
	if !errors.Is(err, sinks.ErrUnavailable) {
		t.Errorf("without a shard: %v", err)
	}
	if report == nil || report.Failed == report.Steps {
		t.Errorf("without a shard nothing was done: %+v", report)
	}
	if got := c.states(ids); !slices.Equal(got, []sinks.RequestEvent{sinks.RequestExecuting}) {
		t.Errorf("the request is %v although nobody knows what is on a shard", got)
	}
	if of(0)+of(1) > 0 {
		t.Errorf("%d of his rows are on the shards that answer", of(0)+of(1))
	}
	c.nodes.Start(2)
	c.worker = c.newWorker(nil)
	if _, err := c.run(t.Context(), c.subjectJob(), end(1)); err != nil {
		t.Error(err)
	}
	if of(0)+of(1)+of(2) > 0 {
		t.Errorf("his rows: %d, %d, %d", of(0), of(1), of(2))
	}
	if got := c.states(ids); !slices.Equal(got, []sinks.RequestEvent{sinks.RequestDone}) {
		t.Errorf("the request is %v", got)
	}
}

// What is due by the rows of a person on all shards, and what is counted, comes out as on
// one server.
func TestShardsHoldInTheEndWhatOneServerHolds(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, 1, 1)
	one := newSite(t, config.Facesoft)
	g := handful(someDays)
	for _, s := range []*site{one, c.site} {
		s.receive(g, end(40))
		s.ingest(end(1), s.input())
	}
	sums := func(s *site, personal string) string {
		var b strings.Builder
		for _, table := range []string{"accounts", "enquiries", "events"} {
			fmt.Fprintln(&b, table, s.query(fmt.Sprintf("SELECT count(), groupBitXor(sipHash64(lapse_record)), uniqExact(user_id) FROM %s%s", personal, table)))
		}
		status, err := s.store.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range status.Datasets {
			fmt.Fprintln(&b, d.Dataset, d.Personal, d.First, d.Last, d.Published+d.Suppressed)
		}
		fmt.Fprintln(&b, status.Sources, status.Quarantined, status.Items, status.Purged)
		account, err := s.store.Account(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, account)
		return b.String()
	}
	compare := func(when string) {
		t.Helper()
		if got, want := sums(c.site, "{control}.all_"), sums(one, "{personal}."); got != want {
			t.Errorf("%s the shards hold\n%s\nand one server\n%s", when, got, want)
		}
	}
	compare("after ingest")
	for _, months := range []int{2, 13, 40} {
		for _, s := range []*site{one, c.site} {
			s.purge(end(months))
			s.anonymise(end(months))
		}
		compare(fmt.Sprintf("after %d months", months))
	}
	if n := c.count("SELECT count() FROM {control}.all_accounts"); n > 0 {
		t.Errorf("%d rows of accounts are left", n)
	}
	c.audited()
}

// Each replica of a shard is purged and anonymised by itself, whatever the others have
// lost meanwhile.
func TestReplicasOfAShardEndAlike(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2)
	c.receive(handful(someDays), end(40))
	c.ingest(end(1), c.input())
	counts := func(node int) string {
		var b strings.Builder
		for _, table := range []string{"{personal}.accounts", "{personal}.events", "{personal}.requests", "{published}.events_local", "{published}.requests_local"} {
			fmt.Fprintln(&b, table, c.on(node, "SELECT count() FROM "+table))
		}
		return b.String()
	}
	before := c.on(0, "SELECT count() FROM {personal}.events")
	for _, months := range []int{2, 13, 40} {
		c.purge(end(months))
		c.anonymise(end(months))
		if a, b := counts(0), counts(1); a != b {
			t.Errorf("after %d months one replica has\n%s\nand the other\n%s", months, a, b)
		}
	}
	if n := c.on(1, "SELECT count() FROM {personal}.accounts"); n > 0 || before == 0 {
		t.Errorf("%d rows of accounts are left", n)
	}
	status, err := c.store.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range status.Datasets {
		if d.Dataset == "events" && d.Published+d.Suppressed != uint64(before) {
			t.Errorf("%d published and %d suppressed of %d rows: replicas count once", d.Published, d.Suppressed, before)
		}
	}
	c.audited()
}

// A consent is kept as long as anything of the person is held, on whichever shard.
func TestConsentsOfPeopleOnAnyShardAreKept(t *testing.T) {
	t.Parallel()
	c := newClusterFor(t, []byte(consentPolicy), 1, 1)
	later := time.Now().UTC().AddDate(3, 0, 2)
	seen := later.AddDate(0, 0, -10).Format(time.RFC3339)
	var b strings.Builder
	const people = 20
	for n := range people {
		c.decided("user_id", fmt.Sprint("user", n), "analytics", true, june)
		fmt.Fprintf(&b, `{"type":"page","messageId":"%d","userId":"user%d","timestamp":%q,"context":{"consent":{"categoryPreferences":{"analytics":true}}}}`+"\n", n, n, seen)
	}
	c.ingest(later, c.write("seen", []byte(b.String())))
	for node := range 2 {
		if n := c.on(node, "SELECT count() FROM {personal}.events"); n == 0 {
			t.Errorf("node %d has no rows", node)
		}
	}
	purge := c.purgeJob()
	purge.Consents, purge.Ledgers = c.store, oneKey{1}
	c.must(purge, later)
	if n := c.count("SELECT count() FROM {control}.consents FINAL WHERE category = 'analytics'"); n != people {
		t.Errorf("%d of %d consents are left", n, people)
	}
}

// A hold on somebody holds all of it, on every shard: rows of devices that are known to be
// theirs by another row of the day, and rows of accounts that another shard's row ties.
func TestHoldReachesAllShards(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, 1, 1)
	day := devices(30, 6, "often")
	for device := range 6 {
		day = fmt.Appendf(day, `{"type":"identify","messageId":"i-%d","userId":"often-7","anonymousId":"visitor-often-7-%d","timestamp":"2024-01-01T09:00:00Z","traits":{"plan":"a"}}
{"type":"identify","messageId":"j-%d","anonymousId":"visitor-often-7-%d","timestamp":"2024-01-01T08:00:00Z","traits":{"plan":"a"}}
{"type":"identify","messageId":"k-%d","anonymousId":"visitor-often-8-%d","timestamp":"2024-01-01T08:00:00Z","traits":{"plan":"a"}}
`, device, device, device, device, device, device)
	}
	c.ingest(end(1), c.write("day", day))
	left := func() string {
		return fmt.Sprint(c.query("SELECT (SELECT count() FROM {control}.all_events), (SELECT countIf(user_id = 'often-7' OR startsWith(anonymous_id, 'visitor-often-7-')) FROM {control}.all_events), (SELECT count() FROM {control}.all_accounts), (SELECT countIf(startsWith(anonymous_id, 'visitor-often-7-')) FROM {control}.all_accounts)"))
	}
	if got := left(); got != "[[720 24 18 12]]" {
		t.Fatalf("before: %s", got)
	}
	hold := c.place(sinks.Hold{}, "often-7", "")
	for range 2 {
		c.anonymise(end(40))
		c.purge(end(40))
		if got := left(); got != "[[24 24 12 12]]" {
			t.Errorf("under the hold are left %s: events, his, accounts, his", got)
		}
	}
	c.release(hold)
	c.anonymise(end(41))
	c.purge(end(41))
	if got := left(); got != "[[0 0 0 0]]" {
		t.Errorf("after its release are left %s", got)
	}
	c.audited()
}
