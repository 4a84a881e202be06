package clickhouse

import (
	"fmt"
	"strings"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// table is a table as the policy has it: what create_table.sql makes and what
// the live schema is compared with.
type table struct {
	Database, Name string
	Comment        string
	Columns        []tableColumn
	PartitionBy    string
	OrderBy        []string // quoted names
	Deduplicates   bool     // remembers insert tokens
	SyncsParts     bool     // syncs every part when it is written
	Time           string   // the column that decides the partition's day
	Index          *bloomFilters

	// Of a table over those of all nodes of a Cluster: the database and the name that they
	// have on each.
	Cluster, OverDatabase, Over string

	dataset *config.Dataset // nil for the quarantine
}

// bloomFilters is an index by whose columns rows are found: a filter of each granule, as
// sure as its rate of false positives.
type bloomFilters struct {
	Name           string
	Columns        []string // quoted
	FalsePositives float64
}

// onePartition is the partitioning of tables whose rows leave one by one.
const onePartition = "tuple()"

// byDay reports whether the table's rows leave by whole days.
func (t *table) byDay() bool { return t.PartitionBy != onePartition }

type tableColumn struct{ Name, Type, Comment string }

// The columns that every personal table has beside the policy's.
const (
	recordColumn   = config.ReservedPrefix + "record"
	sourceColumn   = config.ReservedPrefix + "source"
	positionColumn = config.ReservedPrefix + "position"
	batchColumn    = config.ReservedPrefix + "batch"
	levelColumn    = config.ReservedPrefix + "level"
	dayColumn      = "day"
)

var originColumns = []tableColumn{
	{recordColumn, "UUID", "identity of the record: a hash of its message id, or of its place and bytes"},
	{sourceColumn, "UInt64", "the first 64 bits of the digest of the file it came from"},
	{positionColumn, "UInt64", "byte offset of the record in the decompressed file"},
	{batchColumn, "UInt32", "0, or the batch of rows that arrived after their day was sealed"},
}

// personalTables compiles the personal tables of a policy, by dataset, and with
// them the quarantine and the training register.
func personalTables(p *config.Policy, db Databases) map[string]*table {
	tables := map[string]*table{
		sinks.QuarantineDataset: quarantineTable(db),
		sinks.TrainingDataset:   trainingTable(p, db),
	}
	for i := range p.Datasets {
		d := &p.Datasets[i]
		t := datasetTable(p, d, db.Telemetry)
		t.PartitionBy = onePartition
		if _, byDay := d.Window(config.EventTime); byDay {
			t.PartitionBy = partitionBy(d.Time) // whole days expire at once
		}
		t.Comment = fmt.Sprintf("%s (%s)", d.Description, d.Clause)
		if len(d.Subject) > 0 {
			t.Index = &bloomFilters{Name: config.ReservedPrefix + "people", FalsePositives: 0.05}
			for _, name := range d.Subject {
				t.Index.Columns = append(t.Index.Columns, quote(name))
			}
		}
		tables[d.Name] = t
	}
	return tables
}

func datasetTable(p *config.Policy, d *config.Dataset, database string) *table {
	t := &table{Database: database, Name: d.Name, Time: d.Time, Deduplicates: true, dataset: d}
	for _, c := range d.Columns {
		t.Columns = append(t.Columns, tableColumn{c.Name, storedType(c.Type), columnComment(p, d, &c)})
	}
	t.Columns = append(t.Columns, originColumns...)
	for _, name := range d.OrderBy {
		t.OrderBy = append(t.OrderBy, quote(name))
	}
	t.OrderBy = append(t.OrderBy, quote(d.Time))
	return t
}

// trainingTable is one partition: its rows leave one by one, not by the day.
func trainingTable(p *config.Policy, db Databases) *table {
	t := datasetTable(p, config.TrainingRecords(), db.Control)
	t.PartitionBy = onePartition
	t.Comment = t.dataset.Description
	// Thousands are looked up at once, neighbours in the table: most granules have none.
	t.Index = &bloomFilters{Name: config.ReservedPrefix + "items", Columns: []string{quote("item")}, FalsePositives: 0.0001}
	return t
}

func quarantineTable(db Databases) *table {
	const seen = "first_seen"
	return &table{
		Database: db.Control, Name: sinks.QuarantineDataset, Time: seen, Deduplicates: true,
		Comment: "records that could not be read, raw; kept for a short window",
		Columns: append([]tableColumn{
			{seen, storedType(config.MustType("DateTime64(3)")), "time of the run that met the record first (UTC)"},
			{"reason", "LowCardinality(String)", "why it could not be read"},
			{"field", "LowCardinality(String)", "the column whose value had the wrong type"},
			{"raw", "String", "the record as it stood, cut at 64 KiB"},
			{"envelope", "String", "the batch it stood in, without its records"},
			{"seed", "UUID", "hash of the first line of the file it came from"},
			{"dated", "Bool", "whether its time could be read"},
			{"event_day", "Date", "day of the event, if dated (UTC)"},
		}, originColumns...),
		PartitionBy: partitionBy(seen),
		OrderBy:     []string{quote("reason"), quote(seen)},
	}
}

// localSuffix ends the names of a node's own anonymised tables: analysts read all nodes
// under the name of the dataset.
const localSuffix = "_local"

// published compiles the anonymised table of a dataset that this server publishes into.
func (s *Store) published(d *config.Dataset) *table {
	t := analyticsTable(s.policy, s.db, d)
	if s.cluster != "" {
		t.Name += localSuffix
	}
	return t
}

// everywhere returns the table of all nodes' rows of a personal table.
func (s *Store) everywhere(t *table) *table {
	if s.cluster == "" || t.dataset == nil || t.Database != s.db.Telemetry {
		return t
	}
	return t.over(s.cluster, s.db.Control, "all_"+t.Name)
}

// over returns a table over those of a cluster's nodes.
func (t *table) over(cluster, database, name string) *table {
	return &table{
		Database: database, Name: name, Comment: t.Comment + "; on all nodes", Columns: t.Columns, Time: t.Time,
		Cluster: cluster, OverDatabase: t.Database, Over: t.Name,
	}
}

// analyticsTable compiles the anonymised table of a dataset. Its rows lie in the order of
// a hash of their class: the order in which they came would tell more than their hour, and
// by one number they are sorted in a quarter of the time that all columns take. Of the hash
// 32 bits are enough to keep a class together, and they are sorted in half the time of 64.
// First comes the time of the class, by which rows came already: they are moved less far.
func analyticsTable(p *config.Policy, db Databases, d *config.Dataset) *table {
	t := &table{
		Database: db.Analytics, Name: d.Name,
		Comment: fmt.Sprintf("%s, anonymised to policy %s %s, k=%d", d.Description, p.Name, p.Version, d.Publish.K),
		Columns: []tableColumn{{dayColumn, "Date", "day of the event (UTC)"}},
	}
	t.OrderBy = []string{quote(dayColumn)}
	var class []string
	for _, c := range d.Publish.Columns {
		source, _ := d.Column(c.From)
		t.Columns = append(t.Columns, tableColumn{c.Name, storedType(c.ResultType(source.Type)), publishedComment(p, c, source)})
		if c.InClass() {
			kind := c.ResultType(source.Type).Kind()
			class = append(class, classHash(len(class), kind, fixedKey, quote(c.Name)))
			if c.From == d.Time && kind != config.Text {
				t.OrderBy = append(t.OrderBy, quote(c.Name))
			}
		}
	}
	t.OrderBy = append(t.OrderBy, fmt.Sprintf("toUInt32(%s)", codeOf(class...)))
	t.Columns = append(t.Columns,
		tableColumn{levelColumn, "UInt8", "index of the level vector at which the row was published; 0 is the finest"},
		tableColumn{batchColumn, "UInt32", "0, or the batch of rows that arrived after their day was sealed"})
	t.PartitionBy = fmt.Sprintf("(%s, %s)", quote(dayColumn), quote(batchColumn))
	return t
}

func partitionBy(time string) string {
	return fmt.Sprintf("(toDate(%s, 'UTC'), %s)", quote(time), quote(batchColumn))
}

// storedType is a policy's type with the zone that every time is stored in.
func storedType(t config.Type) string {
	switch t.Name() {
	case "DateTime":
		return "DateTime('UTC')"
	case "DateTime64(3)":
		return "DateTime64(3, 'UTC')"
	}
	return t.String()
}

func columnComment(p *config.Policy, d *config.Dataset, c *config.Column) string {
	words := c.Description
	if c.Field == "" { // a table of the program's own
		return words
	}
	if words == "" {
		words, _ = p.FieldDescription(c.Field)
	}
	return fmt.Sprintf("%s; %s; identifies %s; for %s", words, c.Field, c.Identifies, strings.Join(d.PurposesOf(c), ", "))
}

func publishedComment(p *config.Policy, c config.PublishedColumn, source *config.Column) string {
	words := c.Description
	if words == "" {
		words, _ = p.FieldDescription(source.Field)
	}
	words = fmt.Sprintf("%s; %s (%s)", words, source.Field, p.FieldClause(source.Field))
	if !c.InClass() {
		return words
	}
	levels := make([]string, len(c.Levels))
	for i, l := range c.Levels {
		levels[i] = l.String()
	}
	return fmt.Sprintf("%s; levels: %s", words, strings.Join(levels, ", "))
}
