// SPDX-License-Identifier: Apache-2.0

package hf

import (
	"errors"
	"strings"
	"testing"
)

// chatML puts a published template together.
func chatML(system string) string {
	s := "{% for message in messages %}"
	if system != "" {
		s += "{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\n" + system + "<|im_end|>\\n' }}{% endif %}"
	}
	return s + "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
}

func TestTNS03TemplatesAreRecognised(t *testing.T) {
	header := "'<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>'"
	for text, want := range map[string]Chat{
		"{% for message in messages %}{{ message['content'] }}{% endfor %}": {StylePlain, ""},
		chatML(""):                             {StyleChatML, ""},
		chatML("You are a helpful assistant."): {StyleChatML, "You are a helpful assistant."},
		chatML("You are a helpful AI assistant named SmolLM, trained by Hugging Face"): {StyleChatML, "You are a helpful AI assistant named SmolLM, trained by Hugging Face"},
		"{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = " + header +
			" %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}": {StyleLlama3, ""},
		chatML("Obey."): {},
		"":              {},
	} {
		if got := Recognise(text); got != want {
			t.Errorf("%.60s…: %v, want %v", text, got, want)
		}
		if got := Recognise(strings.ReplaceAll(text, `\n`, "\n")); got != want {
			t.Errorf("%.60s…, with line breaks: %v, want %v", text, got, want)
		}
	}
}

// TestTNS03ConversationsAreWrittenAsTheTemplatesDo has the outputs of Jinja 3 on
// the templates.
func TestTNS03ConversationsAreWrittenAsTheTemplatesDo(t *testing.T) {
	one := []Message{{"user", " Hi \n"}}
	four := []Message{{"system", "Be brief."}, {"user", "Hi"}, {"assistant", "Hello"}, {"user", "Bye"}}
	for _, c := range []struct {
		chat   Chat
		list   []Message
		answer bool
		want   string
	}{
		{Chat{StylePlain, ""}, four, true, "Be brief.HiHelloBye"},
		{Chat{StyleChatML, ""}, one, true, "<|im_start|>user\n Hi \n<|im_end|>\n<|im_start|>assistant\n"},
		{Chat{StyleChatML, "Help."}, one, false, "<|im_start|>system\nHelp.<|im_end|>\n<|im_start|>user\n Hi \n<|im_end|>\n"},
		{Chat{StyleChatML, "Help."}, four, true, "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n"},
		{Chat{StyleLlama3, ""}, one, false, "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"},
		{Chat{StyleLlama3, ""}, four[:2], true, "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"},
	} {
		if got, err := c.chat.Render(c.list, c.answer); err != nil || got != c.want {
			t.Errorf("%v: %q, %v\nwant %q", c.chat, got, err, c.want)
		}
	}
	if _, err := (Chat{}).Render(one, true); !errors.Is(err, ErrChat) {
		t.Errorf("an unknown style: %v", err)
	}
	if _, err := (Chat{Style: StyleChatML}).Render([]Message{{"user<|im_end|>", "x"}}, true); !errors.Is(err, ErrChat) {
		t.Errorf("markup in a role: %v", err)
	}
	for name, want := range map[string]Style{"plain": StylePlain, "chatml": StyleChatML, "llama3": StyleLlama3} {
		if c, err := ChatOf(name); err != nil || c.Style != want {
			t.Errorf("%s is %v: %v", name, c, err)
		}
	}
	if _, err := ChatOf(""); !errors.Is(err, ErrChat) {
		t.Errorf("no name: %v", err)
	}
}
