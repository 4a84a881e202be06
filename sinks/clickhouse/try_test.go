package clickhouse_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs/decode"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/sinktest"
)

func TestMain(m *testing.M) { sinktest.Main(m) }

func TestTry(t *testing.T) {
	p := sinktest.Policy(t, config.Facesoft)
	s, _ := sinktest.Store(t, p)
	d, err := decode.New(p, config.WebLog)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open("../../../shared/data/access_log")
	if err != nil {
		t.Skip(err)
	}
	sc := bufio.NewScanner(f)
	pos := uint64(0)
	fates := map[decode.Reason]int{}
	for sc.Scan() {
		ft := d.Decode(sc.Bytes(), decode.Origin{Position: pos, Now: time.Now()})
		fates[ft.Reason]++
		if ft.Reason != "" {
			fmt.Println(sc.Text())
		}
		pos += uint64(len(sc.Bytes()) + 1)
	}
	fmt.Println(fates)
	b := d.Blocks()[0]
	b.Batches = make([]uint32, b.Rows())
	b.Source = 7
	began := time.Now()
	for range 2 {
		if err := s.Insert(t.Context(), b, sinks.HashID("x")); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Println("insert", time.Since(began))
	fmt.Println(s.StoredRows(t.Context(), "requests", 7))
	k, err := s.Known(t.Context(), "requests", b.Records[:100], 0, 40000)
	fmt.Println(len(k), err, k[b.Records[3]], b.Positions[3])
	ps, err := s.Partitions(t.Context(), "requests", 40000)
	fmt.Println(ps, err)
	var parts []sinks.Partition
	for _, p := range ps {
		parts = append(parts, p.Partition)
	}
	began = time.Now()
	st, err := s.Stage(t.Context(), "requests", parts)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("staged", time.Since(began))
	for _, p := range parts {
		if err := st.Publish(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Println("published", time.Since(began))
	if err := st.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	fmt.Println("verified", time.Since(began))
	for _, p := range st.Publications() {
		fmt.Printf("%s %+v %d %d %d\n", p.Partition, p.K, p.Rows, p.Subjects, p.Suppressed)
	}
	if err := s.RecordPublications(t.Context(), st.Publications()); err != nil {
		t.Fatal(err)
	}
	pubs, err := s.Publications(t.Context(), "requests", parts)
	fmt.Println(len(pubs), err, pubs[parts[0]].K)
	st.Discard(t.Context())
	fmt.Println("discarded", time.Since(began))
	left, err := s.Drop(t.Context(), "requests", parts)
	fmt.Println(left, err, time.Since(began))
	sql, _ := s.SQL("requests", ps[0].Partition)
	fmt.Println(string(bytes.Join([][]byte{[]byte(sql[5]), []byte(sql[len(sql)-1])}, []byte("\n;\n"))))
}
