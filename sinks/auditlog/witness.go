package auditlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/facesoft/lapse/sinks"
)

// signaturePrefix begins a signature line of https://c2sp.org/signed-note.
const signaturePrefix = "— "

// maxFetched bounds what is read of a server's answer, in bytes. A century of
// daily anchors has less.
const maxFetched = 16 << 20

// AddAnchor appends the log's newest checkpoint to a file of anchors, which it
// makes if there is none, durably. To be called once a day, for a file that lies
// where whoever keeps the log cannot change it. The checkpoint must be signed by
// the key, and the log must be a continuation of the file's last anchor: a log
// that was rolled back or forked since then is refused. If the file ends with
// this very checkpoint already, nothing is added.
func AddAnchor(ctx context.Context, files Files, key note.Verifier, path string) error {
	err := addAnchor(ctx, files, key, path)
	if err != nil {
		return fmt.Errorf("add anchor: %w", err)
	}
	return nil
}

func addAnchor(ctx context.Context, files Files, key note.Verifier, path string) error {
	signed, c, err := newestSigned(ctx, files, key)
	if err != nil {
		return err
	}
	anchors, err := LoadAnchors(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(anchors) > 0 {
		last := anchors[len(anchors)-1]
		if bytes.Equal(last.Signed, signed) {
			return nil
		}
		if err := continues(ctx, files, c, last.Signed); err != nil {
			return fmt.Errorf("%s: %w", last.Name, err)
		}
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(signed)
	return errors.Join(err, file.Sync(), file.Close(), syncDir(path))
}

func newestSigned(ctx context.Context, files Files, key note.Verifier) ([]byte, Checkpoint, error) {
	signed, _, err := Newest(ctx, files)
	if err != nil {
		return nil, Checkpoint{}, err
	}
	c, _, err := openCheckpoint(signed, key)
	if err != nil {
		return nil, Checkpoint{}, fmt.Errorf("newest checkpoint: %w", err)
	}
	return signed, c, nil
}

// continues checks that an anchor's root is still that of the log at its size.
func continues(ctx context.Context, files Files, newest Checkpoint, anchor []byte) error {
	old, err := parseCheckpoint(anchor)
	switch {
	case err != nil:
		return err
	case old.Log != newest.Log:
		return errors.New("is of another log")
	case old.Year > newest.Year || old.Year == newest.Year && old.Size > newest.Size:
		return errors.New("is ahead of the log, which was rolled back")
	}
	v, err := openView(ctx, files, old.Year)
	if err != nil {
		return err
	}
	root, err := tlog.TreeHash(old.Size, v.hashReader(ctx))
	if err != nil {
		return err
	}
	if root != old.Root {
		return errors.New("is not a state this log has been in")
	}
	return nil
}

// PutAnchor sends the log's newest checkpoint, which must be signed by the key,
// to <url>/<year>/<size> by an HTTP PUT that refuses to replace anything
// (If-None-Match: *). An anchor that is there already, with this content, is
// fine. The URL may carry a query, which is kept, but should carry no secret:
// errors contain it.
func PutAnchor(ctx context.Context, files Files, key note.Verifier, client *http.Client, url string) error {
	signed, c, err := newestSigned(ctx, files, key)
	if err == nil {
		err = putAnchor(ctx, client, anchorURL(url, c), signed)
	}
	if err != nil {
		return fmt.Errorf("put anchor: %w", err)
	}
	return nil
}

func anchorURL(url string, c Checkpoint) string {
	base, query, hasQuery := strings.Cut(url, "?")
	url = fmt.Sprintf("%s/%s/%d", strings.TrimSuffix(base, "/"), yearName(c.Year), c.Size)
	if hasQuery {
		url += "?" + query
	}
	return url
}

func putAnchor(ctx context.Context, client *http.Client, url string, signed []byte) error {
	status, _, err := do(ctx, client, http.MethodPut, url, signed)
	switch {
	case err != nil:
		return err
	case status/100 == 2:
		return nil
	case status != http.StatusPreconditionFailed:
		return fmt.Errorf("the server answered with status %d", status)
	}
	status, there, err := do(ctx, client, http.MethodGet, url, nil)
	switch {
	case err != nil:
		return err
	case status != http.StatusOK:
		return fmt.Errorf("the server has an anchor there, but answered with status %d", status)
	case !bytes.Equal(there, signed):
		return errors.New("the server has another anchor for this size: the log was forked, or its key rotated at this size")
	}
	return nil
}

func do(ctx context.Context, client *http.Client, method, url string, body []byte) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if method == http.MethodPut {
		request.Header.Set("Content-Type", "text/plain; charset=utf-8")
		request.Header.Set("If-None-Match", "*")
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", sinks.ErrUnavailable, err)
	}
	defer func() { _ = response.Body.Close() }()
	got, err := io.ReadAll(io.LimitReader(response.Body, maxFetched+1))
	return response.StatusCode, got, err
}

// LoadAnchors reads a file of checkpoints, one after the other, as AddAnchor
// writes it; a single checkpoint file is one too. Their signatures are for Verify
// to check.
func LoadAnchors(path string) ([]Anchor, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load anchors: %w", err)
	}
	return parseAnchors(path, b)
}

// FetchAnchors is LoadAnchors for what lies at a URL: an anchor that PutAnchor has
// put there, or a whole file of them. Errors contain the URL.
func FetchAnchors(ctx context.Context, client *http.Client, url string) ([]Anchor, error) {
	status, b, err := do(ctx, client, http.MethodGet, url, nil)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s: the server answered with status %d", url, status)
	}
	if err == nil && len(b) > maxFetched {
		err = fmt.Errorf("%s: is larger than %d MiB", url, maxFetched>>20)
	}
	if err != nil {
		return nil, fmt.Errorf("load anchors: %w", err)
	}
	return parseAnchors(url, b)
}

func parseAnchors(name string, b []byte) ([]Anchor, error) {
	var anchors []Anchor
	for rest := string(b); rest != ""; {
		end := anchorEnd(rest)
		if end < 0 {
			return nil, fmt.Errorf("load anchors: %s: checkpoint %d is not a signed note", name, len(anchors)+1)
		}
		anchors = append(anchors, Anchor{fmt.Sprintf("%s, checkpoint %d", name, len(anchors)+1), []byte(rest[:end])})
		rest = rest[end:]
	}
	return anchors, nil
}

// anchorEnd returns where the first note of a text ends: behind the signature
// lines that follow its first blank line.
func anchorEnd(text string) int {
	blank := strings.Index(text, "\n\n")
	if blank < 0 {
		return -1
	}
	end := blank + 2
	for strings.HasPrefix(text[end:], signaturePrefix) {
		n := strings.IndexByte(text[end:], '\n')
		if n < 0 {
			return -1
		}
		end += n + 1
	}
	if end == blank+2 {
		return -1
	}
	return end
}
