// SPDX-License-Identifier: MPL-2.0

package provider

import (
	actionschema "github.com/hashicorp/terraform-plugin-framework/action/schema"
	dataschema "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	ephemeralschema "github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	listschema "github.com/hashicorp/terraform-plugin-framework/list/schema"
	resourceschema "github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
)

// attributes turns declared arguments into attributes of one kind of block. The framework
// has types of their own for each kind.
func attributes[A any](declared map[string]argument, attribute func(argument) A) map[string]A {
	all := make(map[string]A, len(declared))
	for name, a := range declared {
		all[name] = attribute(a)
	}
	return all
}

// resourceAttribute shows its default in plans.
func resourceAttribute(a argument) resourceschema.Attribute {
	computed := a.value != nil
	switch {
	case a.isBool():
		return resourceschema.BoolAttribute{MarkdownDescription: a.text, Optional: true, Computed: true, Default: booldefault.StaticBool(a.value.(bool))}
	case a.isNumber():
		n := resourceschema.Int64Attribute{CustomType: wholeNumber{}, MarkdownDescription: a.text, Optional: true, Computed: computed, Validators: a.numbers}
		if computed {
			n.Default = int64default.StaticInt64(a.value.(int64))
		}
		return n
	default:
		s := resourceschema.StringAttribute{MarkdownDescription: a.text, Required: a.required, Optional: !a.required, Computed: computed, Validators: a.strings}
		if computed {
			s.Default = stringdefault.StaticString(a.value.(string))
		}
		return s
	}
}

func ephemeralAttribute(a argument) ephemeralschema.Attribute {
	switch {
	case a.isBool():
		return ephemeralschema.BoolAttribute{MarkdownDescription: a.text, Optional: true}
	case a.isNumber():
		return ephemeralschema.Int64Attribute{CustomType: wholeNumber{}, MarkdownDescription: a.text, Optional: true, Validators: a.numbers}
	default:
		return ephemeralschema.StringAttribute{MarkdownDescription: a.text, Required: a.required, Optional: !a.required, Validators: a.strings}
	}
}

func actionAttribute(a argument) actionschema.Attribute {
	if a.isNumber() {
		return actionschema.Int64Attribute{CustomType: wholeNumber{}, MarkdownDescription: a.text, Optional: true, Validators: a.numbers}
	}
	return actionschema.StringAttribute{MarkdownDescription: a.text, Required: a.required, Optional: !a.required, Validators: a.strings}
}

func dataAttribute(a argument) dataschema.Attribute {
	if a.isNumber() {
		return dataschema.Int64Attribute{CustomType: wholeNumber{}, MarkdownDescription: a.text, Optional: true, Validators: a.numbers}
	}
	return dataschema.StringAttribute{MarkdownDescription: a.text, Required: a.required, Optional: !a.required, Validators: a.strings}
}

func listAttribute(a argument) listschema.Attribute {
	return listschema.StringAttribute{MarkdownDescription: a.text, Required: a.required, Optional: !a.required, Validators: a.strings}
}
