package jobs

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// Sample is what a CSV file held of a dataset.
type Sample struct {
	Rows       int
	Partitions []sinks.Partition
	// OwnPeople says that the file has no column that tells people apart, so that every
	// row stands for a person of its own.
	OwnPeople bool
	// OneDay says that the file has no column of time, so that all rows count as one day.
	OneDay bool
}

// sampleBlock is how many rows are passed on at once.
const sampleBlock = 16384

// ReadSample reads rows of a dataset from a CSV file whose first line names the
// columns, each by its name in the policy or by the field it is taken from; "-" and
// "_" are the same there, as are upper and lower case. The fields are separated by ";",
// "," or tabs, whichever the first line has most of. All columns that are published in
// classes or as sensitive must be there. The rows go to insert, block by block; a file
// of more than limit rows is refused. Errors name the line, but no value.
func ReadSample(r io.Reader, d *config.Dataset, limit int, insert func(*sinks.Block) error) (*Sample, error) {
	s, err := newSampleReader(r, d)
	if err != nil {
		return nil, err
	}
	for {
		record, err := s.csv.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		line, _ := s.csv.FieldPos(0)
		var syntax *csv.ParseError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("line %d: %w", syntax.Line, syntax.Err)
		}
		if err != nil {
			return nil, err
		}
		if err := s.add(record); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if s.found.Rows > limit {
			return nil, fmt.Errorf("line %d: there are more than %d rows; take fewer, or allow more", line, limit)
		}
		if s.block.Rows() == sampleBlock {
			if err := s.flush(insert); err != nil {
				return nil, err
			}
		}
	}
	if s.found.Rows == 0 {
		return nil, errors.New("there are no rows")
	}
	return &s.found, s.flush(insert)
}

// sampleReader reads one file.
type sampleReader struct {
	csv     *csv.Reader
	columns []sampleColumn
	block   *sinks.Block
	days    map[sinks.Day]bool
	found   Sample
}

func newSampleReader(r io.Reader, d *config.Dataset) (*sampleReader, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	head, err := buffered.Peek(64 << 10)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if bytes.HasPrefix(head, []byte("\ufeff")) {
		_, _ = buffered.Discard(len("\ufeff"))
	}
	first, _, _ := strings.Cut(string(head), "\n")
	s := &sampleReader{csv: csv.NewReader(buffered), block: &sinks.Block{Dataset: d.Name}, days: map[sinks.Day]bool{}}
	s.csv.Comma = separator(first)
	s.csv.ReuseRecord = true
	header, err := s.csv.Read()
	if err != nil {
		return nil, fmt.Errorf("line 1 must name the columns: %w", err)
	}
	return s, s.match(d, header)
}

// separator returns the character that a line has most of.
func separator(line string) rune {
	return slices.MaxFunc([]rune{';', ',', '\t'}, func(a, b rune) int {
		return strings.Count(line, string(a)) - strings.Count(line, string(b))
	})
}

// match finds the columns that are needed in the header. Without a column of time, the
// rows get a day all the same, because tables are made of days.
func (s *sampleReader) match(d *config.Dataset, header []string) error {
	fields := map[string]int{}
	for i, name := range header {
		fields[alike(name)] = i
	}
	needed := map[string]bool{}
	for _, c := range d.Publish.Columns {
		for _, name := range c.Sources() {
			needed[name] = needed[name] || !c.Measure
		}
	}
	var missing []string
	s.found.OwnPeople, s.found.OneDay = true, true
	for i := range d.Columns {
		c := &d.Columns[i]
		isSubject, isTime := slices.Contains(d.Subject, c.Name), c.Name == d.Time
		if !needed[c.Name] && !isSubject && !isTime {
			continue
		}
		field, ok := fieldOf(c, fields)
		switch {
		case !ok && needed[c.Name]:
			missing = append(missing, c.Name)
		case ok || isTime:
			s.columns = append(s.columns, newSampleColumn(c, field, isTime))
			s.block.Columns = append(s.block.Columns, s.columns[len(s.columns)-1].to)
		}
		s.found.OwnPeople = s.found.OwnPeople && !(ok && isSubject)
		s.found.OneDay = s.found.OneDay && !(ok && isTime)
	}
	if s.found.OwnPeople && len(d.Subject) > 0 {
		s.number(d.Subject[0])
	}
	if len(missing) > 0 {
		return fmt.Errorf("line 1 does not name %s; it names %s", strings.Join(missing, ", "), strings.Join(header, ", "))
	}
	return nil
}

// number gives each row a subject of its own: levels may depend on how many people have
// a value.
func (s *sampleReader) number(subject string) {
	c := sampleColumn{field: -1, to: &sinks.Column{Name: subject, Type: "String"}, append: func(to *sinks.Column, _ string) error {
		to.AppendString(strconv.AppendInt(nil, int64(s.found.Rows), 10))
		return nil
	}}
	s.columns = append(s.columns, c)
	s.block.Columns = append(s.block.Columns, c.to)
}

// fieldOf finds a column by its own name, or by that of the field it is taken from. It
// returns -1 if there is none.
func fieldOf(c *config.Column, fields map[string]int) (int, bool) {
	names := []string{c.Name}
	for _, from := range c.From {
		names = append(names, from, from[strings.LastIndexByte(from, '.')+1:])
	}
	for _, name := range names {
		if i, ok := fields[alike(name)]; ok {
			return i, true
		}
	}
	return -1, false
}

// alike makes names the same that people take to be the same.
func alike(name string) string {
	return strings.NewReplacer("-", "_", " ", "_", ".", "_").Replace(strings.ToLower(strings.TrimSpace(name)))
}

// add appends a row to the block.
func (s *sampleReader) add(record []string) error {
	var day sinks.Day
	for _, c := range s.columns {
		text := ""
		if c.field >= 0 {
			text = record[c.field]
		}
		if err := c.append(c.to, text); err != nil {
			return fmt.Errorf("the value of %s is not %w", c.to.Name, err)
		}
		if c.isTime && c.field >= 0 {
			t, err := sampleTime(text)
			if err != nil {
				return fmt.Errorf("the value of %s is %w", c.to.Name, err)
			}
			day = sinks.DayOf(t)
		}
	}
	if !s.days[day] {
		s.days[day] = true
		s.found.Partitions = append(s.found.Partitions, sinks.Partition{Day: day})
	}
	b := s.block
	b.Days = append(b.Days, day)
	b.Records = append(b.Records, sinks.ID{})
	b.Positions = append(b.Positions, uint64(s.found.Rows))
	b.Batches = append(b.Batches, 0)
	s.found.Rows++
	return nil
}

func (s *sampleReader) flush(insert func(*sinks.Block) error) error {
	if s.block.Rows() == 0 {
		return nil
	}
	defer s.block.Reset()
	return insert(s.block)
}
