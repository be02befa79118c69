// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/rpc/README.md anew")

const docsPath = "../../docs/rpc/README.md"

// TestDocsAreGenerated compares docs/rpc/README.md with the registry. After a
// change: go test ./rpc/api -run TestDocsAreGenerated -update
func TestDocsAreGenerated(t *testing.T) {
	want := reference()
	if *update {
		if err := os.WriteFile(docsPath, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(docsPath)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what the registry says (%v); run this test with -update", docsPath, err)
	}
}

const intro = `# JSON-RPC reference

Generated from ` + "`rpc/api`" + ` by its test; do not edit.

A node answers JSON-RPC 2.0 at ` + "`POST /rpc`" + ` and on the WebSocket ` + "`/ws`" + `. The first node of a local network
listens on port 9944:

    curl localhost:9944/rpc -d '{"id":1,"method":"node_status"}'

Parameters go by name or, in the order given here, by position; optional ones may be left out. Unknown names are
refused. Amounts and weights are decimal strings of base units (1 OPEN = 1,000,000,000), hashes are ` + "`0x`" + ` and lower-case
hex, addresses start with ` + "`open1`" + `, bytes are base64, heights and milliseconds are numbers.

Permissions: **r** everybody; **w** this machine, or the token; **s** and **a** the token. The token is in ` + "`rpc.token`" + ` of
the node's home, is new at each start, and goes into the header ` + "`Authorization: Bearer …`" + `.

Beside the methods: ` + "`GET /rpc`" + ` help, ` + "`GET /openrpc.json`" + ` (also the method ` + "`rpc.discover`" + `), ` + "`GET /healthz`" + `, ` + "`GET /readyz`" + `,
` + "`POST /upload`" + ` (s: store a blob of at most 8 GiB), ` + "`GET /blob/ID`" + `, ` + "`GET /metrics`" + `, and ` + "`GET /events?topics=head,tx&from=HEIGHT.SEQ`" + ` (server-sent
events; ` + "`Last-Event-ID`" + ` resumes).

Events come in the order of the ledger and are named by a cursor, height and sequence. ` + "`from`" + ` is the last event seen:
the stream goes on after it, without gap or repeat. A subscriber that does not read is cut off with close code 4008 and
the cursor to resume from.

Limits: body 1 MiB, 100 requests in a batch, response 8 MiB, 32 levels of JSON, 500 connections (20 of one remote client),
32 subscriptions on a connection, 50 requests per second of one remote client (burst 200), a state read 10 s, any other call 60 s.
`

// reference is the whole file.
func reference() []byte {
	var w bytes.Buffer
	w.WriteString(intro)
	w.WriteString("\n## Errors\n\nEach error has `data.code`, which never changes, and `data.hint`, which says what to do. A refusal by the\n" +
		"ledger has the ledger's code and number there (`tx_funds`, 1105), and the values at stake in the message.\n\n| number | `data.code` | meaning |\n| --- | --- | --- |\n")
	for _, e := range Errors() {
		fmt.Fprintf(&w, "| %d | `%s` | %s |\n", e.Number, e.Code, e.Meaning)
	}
	ns := ""
	for _, m := range Methods() {
		if m.Namespace() != ns {
			ns = m.Namespace()
			fmt.Fprintf(&w, "\n## %s\n", ns)
		}
		describe(&w, m)
	}
	return w.Bytes()
}

func describe(w *bytes.Buffer, m Method) {
	fmt.Fprintf(w, "\n### `%s`\n\n%s Permission **%s**.\n\n", m.Name, m.Summary, m.Perm)
	for _, f := range fields(reflect.TypeOf(m.Params)) {
		optional := ""
		if f.optional {
			optional = ", optional"
		}
		fmt.Fprintf(w, "- `%s`: %s%s\n", f.name, shape(f.schema(0)), optional)
	}
	fmt.Fprintf(w, "- result: %s\n\n", shape(schema(reflect.TypeOf(m.Result), 0)))
	if m.Socket() {
		fmt.Fprintf(w, "    %s\n", m.Request())
	} else {
		fmt.Fprintf(w, "    curl localhost:9944/rpc -d '%s'\n", m.Request())
	}
}

// shape writes a schema as a person would: {height: integer, items: [string]}.
func shape(s map[string]any) string {
	switch s["type"] {
	case "array":
		items, _ := s["items"].(map[string]any)
		return "[" + shape(items) + "]"
	case "object":
		props, _ := s["properties"].(map[string]any)
		names := make([]string, 0, len(props))
		for name := range props {
			names = append(names, name)
		}
		slices.Sort(names)
		for i, name := range names {
			sub, _ := props[name].(map[string]any)
			names[i] = name + ": " + shape(sub)
		}
		return "{" + strings.Join(names, ", ") + "}"
	case "string":
		switch s["title"] {
		case "Amount":
			return "amount"
		case "ID", "PublicKey":
			return "hash"
		case "Address":
			return "address"
		}
		if s["contentEncoding"] != nil {
			return "bytes"
		}
	case nil:
		return "any"
	}
	text, _ := json.Marshal(s["type"])
	return strings.Trim(string(text), `"`)
}
