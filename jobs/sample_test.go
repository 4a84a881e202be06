package jobs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// samplePolicy describes a dataset with a column of each kind.
const samplePolicy = `
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
    subject: [user, visitor]
    time: at
    retention: [{trigger: event_time, keep: P1M, action: anonymise, clause: C12, rationale: r}]
    columns:
      - {name: at, type: DateTime64(3), derive: event_time, field: c.f, identifies: nobody}
      - {name: user, type: String, from: userId, field: c.f, identifies: directly}
      - {name: visitor, type: String, from: anonymousId, field: c.f, identifies: directly}
      - {name: native_country, type: String, from: properties.origin, field: c.f, identifies: indirectly}
      - {name: age, type: UInt8, from: properties.age, field: c.f, identifies: indirectly}
      - {name: balance, type: Nullable(Int32), from: properties.balance, field: c.f, identifies: indirectly}
      - {name: member, type: Bool, from: properties.member, field: c.f, identifies: indirectly}
      - {name: born, type: Date, from: properties.born, field: c.f, identifies: indirectly}
      - {name: illness, type: String, from: properties.illness, field: c.f, identifies: indirectly}
      - {name: ms, type: UInt32, from: properties.ms, field: c.f, identifies: nobody}
      - {name: unpublished, type: String, from: properties.secret, field: c.f, identifies: indirectly}
    publish:
      k: 3
      suppression_limit: 10%
      columns:
        - {name: country, from: native_country, levels: [keep, any], weight: 0.9}
        - {name: age, from: age, levels: [keep, {bands: [18, 65]}, any]}
        - {name: balance, from: balance, levels: [keep, any]}
        - {name: member, from: member, levels: [keep]}
        - {name: born, from: born, levels: [keep, any]}
        - {name: illness, from: illness, sensitive: {distinct_l: 2, entropy_l: 1.5, recursive: {c: 4, l: 2}, t: 0.4}}
        - {name: ms, from: ms, measure: true}
      chain: [{}]
`

func answers(t *testing.T) *config.Dataset {
	t.Helper()
	p, err := config.ParsePolicy("policy.yaml", []byte(samplePolicy))
	if err != nil {
		t.Fatal(err)
	}
	d, _ := p.Dataset("answers")
	return d
}

// columnsRead reads a sample and returns, for each column that was taken, its bytes.
func columnsRead(t *testing.T, text string) (map[string]string, *Sample, error) {
	t.Helper()
	read := map[string]string{}
	s, err := ReadSample(strings.NewReader(text), answers(t), 100, func(b *sinks.Block) error {
		for _, c := range b.Columns {
			read[c.Name] += fmt.Sprintf("%s %q %v", c.Type, c.Data, c.Nulls)
		}
		return nil
	})
	return read, s, err
}

func TestSampleIsReadByTheNamesOfItsColumns(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"at":             `DateTime64(3, 'UTC') "\x00\xe8\xf7\xfa\x8c\x01\x00\x00" []`,
		"user":           `String "\x02u1" []`,
		"native_country": `String "\x02GB" []`,
		"age":            `UInt8 "'" []`,
		"balance":        `Nullable(Int32) "\xfb\xff\xff\xff" [0]`,
		"member":         `Bool "\x01" []`,
		"born":           `Date "\x01\x00" []`,
		"illness":        `String "\x03f;u" []`,
	}
	for name, text := range map[string]string{
		"semicolons":       "User;at;native-country;Age;balance;member;born;illness;other\nu1;2024-01-12T00:00:00Z;GB;39;-5;true;1970-01-02;\"f;u\";x\n",
		"commas and paths": "\ufeffuserId,AT,origin,age,balance,member,born,illness\r\nu1,2024-01-12 00:00:00,GB,39,-5,1,1970-01-02,f;u\r\n",
		"tabs":             "user\tat\tproperties.origin\tage\tbalance\tmember\tborn\tillness\nu1\t2024-01-12\tGB\t39\t-5\tTRUE\t1970-01-02\tf;u\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, s, err := columnsRead(t, text)
			if err != nil {
				t.Fatal(err)
			}
			for column, bytes := range want {
				if got[column] != bytes {
					t.Errorf("%s: %s, want %s", column, got[column], bytes)
				}
			}
			if len(got) != len(want) {
				t.Errorf("the columns %v were taken", got)
			}
			if s.Rows != 1 || s.OwnPeople || s.OneDay || len(s.Partitions) != 1 || s.Partitions[0].Day.String() != "2024-01-12" {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestSampleWithoutPeopleOrTime(t *testing.T) {
	t.Parallel()
	got, s, err := columnsRead(t, "native_country;age;balance;member;born;illness\nGB;39;;;;\nFR;40;1;false;2020-01-01;flu\n")
	if err != nil {
		t.Fatal(err)
	}
	if !s.OwnPeople || !s.OneDay || s.Rows != 2 || len(s.Partitions) != 1 {
		t.Errorf("%+v", s)
	}
	if got["balance"] != `Nullable(Int32) "\x00\x00\x00\x00\x01\x00\x00\x00" [1 0]` || got["user"] != `String "\x010\x011" []` {
		t.Errorf("%v", got)
	}
}

func TestFaultySamplesNameTheLineAndNoValue(t *testing.T) {
	t.Parallel()
	const header = "at;native_country;age;balance;member;born;illness\n"
	for text, want := range map[string]string{
		"":           "line 1 must name the columns",
		header:       "there are no rows",
		"at;age\n1;": "line 1 does not name native_country, balance, member, born, illness; it names at, age",
		header + "2024-01-12;GB;39;1;true;2020-01-01;flu\n2024-01-12;GB;canary;1;true;2020-01-01;flu\n": "line 3: the value of age is not a UInt8",
		header + "2024-01-12;GB;256;1;true;2020-01-01;flu\n":                                            "line 2: the value of age is not a UInt8",
		header + "2024-01-12;GB;1;canary;true;2020-01-01;flu\n":                                         "line 2: the value of balance is not an Int32",
		header + "2024-01-12;GB;1;1;canary;2020-01-01;flu\n":                                            "line 2: the value of member is not true or false",
		header + "2024-01-12;GB;1;1;true;canary;flu\n":                                                  "line 2: the value of born is not a time from 1970 on such as 2024-01-31T12:00:00Z",
		header + "canary;GB;1;1;true;2020-01-01;flu\n":                                                  "line 2: the value of at is not a time from 1970 on",
		header + ";GB;1;1;true;2020-01-01;flu\n":                                                        "line 2: the value of at is not a time from 1970 on",
		header + "2024-01-12;GB;1\n":                                                                    "line 2: wrong number of fields",
		header + "2024-01-12;\"canary;1;1;true;2020-01-01;flu\n":                                        `line 2: extraneous or missing " in quoted-field`,
		header + strings.Repeat("2024-01-12;GB;1;1;true;2020-01-01;flu\n", 101):                         "line 102: there are more than 100 rows",
	} {
		_, _, err := columnsRead(t, text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestLongSamplesArePassedOnBlockByBlock(t *testing.T) {
	t.Parallel()
	text := "at;native_country;age;balance;member;born;illness\n" + strings.Repeat("2024-01-12;GB;1;1;true;2020-01-01;flu\n2024-01-13;GB;1;1;true;2020-01-01;flu\n", sampleBlock)
	var sizes []int
	s, err := ReadSample(strings.NewReader(text), answers(t), 10*sampleBlock, func(b *sinks.Block) error {
		sizes = append(sizes, b.Rows())
		return nil
	})
	if err != nil || len(sizes) != 2 || sizes[0] != sampleBlock || sizes[1] != sampleBlock || s.Rows != 2*sampleBlock || len(s.Partitions) != 2 {
		t.Errorf("%v rows in blocks of %v: %v", s, sizes, err)
	}
}
