// SPDX-License-Identifier: Apache-2.0

package task

import (
	"encoding/json"
	"testing"
)

func TestStatesAndKindsComeBackFromJSON(t *testing.T) {
	for s := Posted; s <= Drawing; s++ {
		b, err := json.Marshal(s)
		var got State
		if err != nil || json.Unmarshal(b, &got) != nil || got != s {
			t.Errorf("%v: %s %v", s, b, err)
		}
	}
	for k, name := range map[Kind]string{1: "train", 2: "attribute", 3: "learn", 4: "evaluate", 5: "answer"} {
		b, err := json.Marshal(k)
		var got Kind
		if err != nil || string(b) != `"`+name+`"` || json.Unmarshal(b, &got) != nil || got != k {
			t.Errorf("%v: %s %v", k, b, err)
		}
	}
	var k Kind
	if Kind(0).String() != "unknown" || Kind(6).String() != "unknown" || k.UnmarshalText([]byte("unknown")) == nil {
		t.Error("a number that is no kind has a name")
	}
	var s State
	if json.Unmarshal([]byte(`"none"`), &s) == nil || json.Unmarshal([]byte(`"x"`), &s) == nil {
		t.Error("a word that is no state was accepted")
	}
}
