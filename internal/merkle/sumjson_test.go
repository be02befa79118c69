// SPDX-License-Identifier: Apache-2.0

package merkle

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSumRootsReadTheirOwnJSON(t *testing.T) {
	root, err := SumTree([]SumLeaf{{Sum: 1 << 60}, {Sum: 7}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(root)
	if err != nil || !strings.Contains(string(text), `"sum":"1152921504606846983","count":2`) {
		t.Fatalf("%s %v", text, err)
	}
	var again SumRoot
	if err := json.Unmarshal(text, &again); err != nil || again != root {
		t.Errorf("%+v %v", again, err)
	}
	for _, bad := range []string{`{"hash":"0x00","sum":"1","count":1}`, `{"hash":"` + strings.Repeat("g", 66) + `","sum":"1"}`, `{"sum":1}`, `[]`} {
		if json.Unmarshal([]byte(bad), &again) == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
