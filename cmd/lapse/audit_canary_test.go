package main

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"  //nolint:gosec // what an identifier might be disguised as
	"crypto/sha1" //nolint:gosec // likewise
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zeebo/xxh3"

	"github.com/facesoft/lapse/sinks"
)

// canaries are what must never reach the audit log, by what they look like.
var canaries = map[string]string{
	"name": "Canary-Mallory Quillfeather", "email": "canary.mallory@quillfeather.example", "user": "canary-user-90210",
	"visitor": "canary-visitor-4711", "message": "canary-message-0815", "device": "CANARYDEVICE-2718-2818", "phone": "+4917777700042",
	"ip": "203.0.113.217", "agent": "CanaryBrowser/9.75 (Quillfeather)", "login": "canary.login.token", "path": "canary-path-quill",
	"organisation": "canary-organisation-31", "event": "Canary Event Happened", "key": "canary-object-key", "bucket": "canary.bucket",
	"file": "canary-file-name", "purpose": "canary-purpose", "broken": "canary-in-a-broken-line",
}

// disguises are the forms in which an identifier would still be one.
func disguises(text string) []string {
	b := []byte(text)
	h256, h1, h5 := sha256.Sum256(b), sha1.Sum(b), md5.Sum(b)
	id := sinks.HashID(text)
	all := []string{
		text, strings.ToLower(text), strings.ToUpper(text), url.QueryEscape(text), url.PathEscape(text), hex.EncodeToString(b),
		base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:len(b)/5*5]), // the whole groups of it
		hex.EncodeToString(h256[:16]), hex.EncodeToString(h1[:16]), hex.EncodeToString(h5[:]), id.String(),
		fmt.Sprintf("%016x", xxh3.Hash(b)), strings.TrimSuffix(fmt.Sprintf("%q", text)[1:], `"`),
	}
	for offset := range 3 { // as it would stand in the middle of more
		whole := b[offset : offset+(len(b)-offset)/3*3]
		all = append(all, base64.StdEncoding.EncodeToString(whole), base64.URLEncoding.EncodeToString(whole))
	}
	return all
}

// plantCanaries puts them wherever an input has room for them: names of files and
// objects, every field of records that are stored, refused, quarantined or about
// training, and what the errors of failing steps are about.
func plantCanaries(t *testing.T, w *world) (input string) {
	t.Helper()
	c := canaries
	input = filepath.Join(w.dir, "input "+c["file"], c["email"])
	page := fmt.Sprintf(`{"type":"page","messageId":%q,"anonymousId":%q,"userId":%q,"originalTimestamp":"2024-01-10T10:00:00.000Z","name":%q,"properties":{"url":"https://x.example/%s?login=%s"},"context":{"ip":%q,"userAgent":%q,"groupId":%q,"device":{"id":%q},"traits":{"email":%q,"name":%q}}}`,
		c["message"], c["visitor"], c["user"], c["name"], c["path"], c["login"], c["ip"], c["agent"], c["organisation"], c["device"], c["email"], c["name"])
	identify := fmt.Sprintf(`{"type":"identify","messageId":%q,"userId":%q,"originalTimestamp":"2024-01-10T10:00:00.000Z","traits":{"email":%q,"name":%q,"phone":%q,"username":%q}}`,
		c["message"]+"2", c["user"], c["email"], c["name"], c["phone"], c["login"])
	track := fmt.Sprintf(`{"type":"track","event":%q,"messageId":%q,"anonymousId":%q,"originalTimestamp":"2024-01-10T10:00:00.000Z","properties":{"to":%q}}`,
		c["event"], c["message"]+"3", c["visitor"], c["email"])
	unknown := fmt.Sprintf(`{"type":%q,"messageId":%q,"originalTimestamp":"2024-01-10T10:00:00.000Z"}`, c["user"], c["message"]+"4")
	brokenLine := fmt.Sprintf(`{"type":"page","messageId":%q,"anonymousId":`, c["broken"])
	access := fmt.Sprintf("%s - %s [10/Jan/2024:10:00:00 +0000] \"GET /%s HTTP/1.1\" 200 12 \"https://%s/\" %q\n", c["ip"], c["login"], c["path"], c["organisation"], c["agent"])
	item := func(n int, bucket, key string) string {
		return fmt.Sprintf(`{"type":"training_item","messageId":"%s-%d","at":"2024-01-10T10:00:00.000Z","bucket":%q,"key":%q,"organisation":%q,"subjects":[%q],"media_type":"image/jpeg","bytes":1,"purposes":[%q],"derivatives":[%q],"consent":false}`,
			c["message"], 10+n, bucket, key, c["organisation"], c["user"], c["purpose"], key+".thumb")
	}
	notes := strings.Join([]string{
		item(1, "training", c["key"]+"/"+c["email"]+".jpg"), // purged
		item(2, c["bucket"], c["key"]+"/elsewhere.jpg"),     // in a bucket that nobody knows
		item(3, "training", c["key"]+"/stuck.jpg"),          // cannot be deleted
	}, "\n") + "\n"
	var cut bytes.Buffer
	z := gzip.NewWriter(&cut)
	_, _ = z.Write([]byte(strings.Repeat(page+"\n", 50)))
	_ = z.Close()
	objects := w.settings().Buckets[0].Path
	for path, content := range map[string]string{
		filepath.Join(input, c["user"]+".ndjson"):             strings.Join([]string{page, page, identify, track, unknown, brokenLine}, "\n") + "\n",
		filepath.Join(input, c["ip"]+".log"):                  strings.Repeat(access, 3),
		filepath.Join(input, "notes.ndjson"):                  notes,
		filepath.Join(input, c["file"]+".ndjson.gz"):          cut.String()[:cut.Len()-9], // the step fails
		filepath.Join(objects, c["key"], c["email"]+".jpg"):   "x",
		filepath.Join(objects, c["key"], "stuck.jpg", "file"): "a folder where an object should be",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return input
}

// TestNoCanaryReachesTheAuditLog plants identifiers everywhere upstream, in records,
// names of files and objects, ids, and what errors are about, and looks for them, as
// they are and in disguise, in every byte of the audit log, of its copy in
// ClickHouse and of its export (I9).
func TestNoCanaryReachesTheAuditLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.keepEngine()
	input := plantCanaries(t, w)
	w.must(jobCommand("ingest")...)
	code, out := w.code("run", "ingest", "--as-of", received, input)
	if code != exitPartial || !strings.Contains(out, canaries["file"]) {
		t.Errorf("no step failed with a canary in its error: exit code %d\n%s", code, out)
	}
	w.must(jobCommand("anonymise")...)
	code, out = w.code(jobCommand("purge")...)
	if code == exitSuccess {
		t.Errorf("no object was stuck: exit code %d\n%s", code, out)
	}
	w.must("audit", "verify", "--copy")
	w.must("audit", "export", "--out", "export")

	var all bytes.Buffer
	files := 0
	for _, root := range []string{w.settings().AuditDir(), filepath.Join(w.dir, "export")} {
		for _, path := range readableFiles(t, root) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files++
			all.WriteString(strings.TrimPrefix(path, w.dir) + "\n")
			all.Write(b)
		}
	}
	all.WriteString(w.auditCopy(t))
	for _, result := range []string{`"result":"failed"`, `"action":"purge_item"`, `"quarantined":`, `"error":"`} {
		if !bytes.Contains(all.Bytes(), []byte(result)) {
			t.Errorf("no entry has %s: the search shows little", result)
		}
	}
	if files < 10 {
		t.Errorf("only %d files were searched", files)
	}
	for what, text := range canaries {
		for _, d := range disguises(text) {
			if bytes.Contains(all.Bytes(), []byte(d)) {
				t.Errorf("the %s is in the audit log, as %s", what, d)
			}
		}
	}
}

func TestSearchFindsACanaryWithinMore(t *testing.T) {
	t.Parallel()
	for what, text := range canaries {
		for before := range 3 {
			more := []byte(strings.Repeat("x", before) + text + "behind")
			for _, seen := range []string{string(more), hex.EncodeToString(more), base64.StdEncoding.EncodeToString(more), base64.URLEncoding.EncodeToString(more)} {
				if !slices.ContainsFunc(disguises(text), func(d string) bool { return strings.Contains(seen, d) }) {
					t.Errorf("the %s is not found in %s", what, seen)
				}
			}
		}
	}
}

// auditCopy returns the copy of the audit log in ClickHouse, every column of it.
func (w *world) auditCopy(t *testing.T) string {
	t.Helper()
	a := w.opener()
	i, err := a.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close() //nolint:errcheck // nothing was written
	rows, err := connect(t, i).Query(t.Context(), "SELECT toString(tuple(*)) FROM `"+i.store.Databases().Control+"`.audit")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // read only
	var b strings.Builder
	n := 0
	for rows.Next() {
		var row string
		if err := rows.Scan(&row); err != nil {
			t.Fatal(err)
		}
		n++
		b.WriteString(row + "\n")
	}
	if err := rows.Err(); err != nil || n < 10 {
		t.Fatalf("%d rows, %v", n, err)
	}
	return b.String()
}
