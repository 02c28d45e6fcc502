"""Writes src/onnx/proto/onnx_pb.ts and src/onnx/operators.gen.ts from what the PyPI package `onnx` carries.

    pip install onnx          # 1.23.2 made the committed files; it brings protobuf
    npm ci                    # for protoc-gen-es
    python scripts/generateOnnx.py

No protoc is needed: the Python package holds the compiled descriptor of onnx.proto, which is what a protoc plugin reads.
"""

import re
import subprocess
from pathlib import Path

from google.protobuf import descriptor_pb2
from google.protobuf.compiler import plugin_pb2
from onnx import defs, onnx_ml_pb2, __version__ as onnx_version

ROOT = Path(__file__).resolve().parent.parent

# Opset 20 is the first with Gelu. The later ones (21: Cast, Reshape, Transpose, Shape …; 23: RMSNormalization) re-issue
# common operators for 4-bit types, and an execution provider without a kernel for the re-issued version hands the node
# to the CPU. What they add is reachable through ONNX Runtime's own operators (SimplifiedLayerNormalization).
OPSET = 20
IR_VERSION = 9  # the one ONNX pairs with opset 20

OPERATORS = """
Add Sub Mul Div Neg Abs Exp Log Sqrt Reciprocal Erf Tanh Sigmoid Sin Cos Pow Max Min Floor Ceil Round Mod Sign Where Cast Sum
Equal Less LessOrEqual Greater GreaterOrEqual And Or Not Xor BitShift BitwiseAnd BitwiseOr BitwiseXor BitwiseNot
MatMul Gemm Einsum Softmax LogSoftmax LayerNormalization Gelu Relu HardSigmoid Softplus Clip
Gather GatherElements GatherND ScatterElements ScatterND
ReduceSum ReduceMean ReduceMax ReduceMin ReduceSumSquare ReduceLogSumExp ReduceL2 ReduceProd ArgMax ArgMin TopK
Reshape Flatten Transpose Slice Concat Split Pad Expand Shape Size Unsqueeze Squeeze Identity Tile Trilu
CumSum Range OneHot Constant ConstantOfShape EyeLike IsNaN IsInf
""".split()

# Attribute values that the schemas name only in prose.
CHOICES = {
    ("Gelu", "approximate"): ["none", "tanh"],
    ("BitShift", "direction"): ["LEFT", "RIGHT"],
    ("Pad", "mode"): ["constant", "reflect", "edge", "wrap"],
    ("ScatterElements", "reduction"): ["none", "add", "mul", "max", "min"],
    ("ScatterND", "reduction"): ["none", "add", "mul", "max", "min"],
}
# Integer attributes that hold a TensorProto.DataType.
DTYPE_ATTRIBUTES = {("Cast", "to"), ("EyeLike", "dtype")}
# Integer attributes that hold 0 or 1.
FLAGS = set("""
allowzero exclusive reverse keepdims noop_with_empty_axes select_last_index largest sorted saturate upper
transA transB transBatchA transBatchB detect_negative detect_positive
unidirectional do_rotary rotary_interleaved smooth_softmax interleaved is_packed_batching
""".split())

# ONNX Runtime's operators, with the names and order of its documentation,
# https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md. A trailing `?` marks what may be left out.
# SimplifiedLayerNormalization lives in the default domain, the others in com.microsoft.
CONTRIB = {
    "FusedMatMul": ("A B", "Y", "alpha:float? transA:int? transB:int? transBatchA:int? transBatchB:int?"),
    "FusedGemm": ("A B C?", "Y", "alpha:float? beta:float? transA:int? transB:int? activation:string? "
                  "activation_alpha:float? activation_beta:float? activation_gamma:float?"),
    "BiasGelu": ("A B", "C", ""),
    "FastGelu": ("X bias?", "Y", ""),
    "QuickGelu": ("X", "Y", "alpha:float?"),
    "SimplifiedLayerNormalization": ("X scale", "Y inv_std_var?", "axis:int? epsilon:float? stash_type:int?"),
    "SkipLayerNormalization": ("input skip gamma beta? bias?", "output mean? inv_std_var? input_skip_bias_sum?",
                               "epsilon:float?"),
    "SkipSimplifiedLayerNormalization": ("input skip gamma bias?", "output mean? inv_std_var? input_skip_bias_sum?",
                                         "epsilon:float?"),
    "MultiHeadAttention": (
        "query key? value? bias? key_padding_mask? attention_bias? past_key? past_value? past_sequence_length? "
        "cache_indirection?",
        "output present_key? present_value? qk?",
        "num_heads:int scale:float? mask_filter_value:float? unidirectional:int?"),
    "GroupQueryAttention": (
        "query key? value? past_key? past_value? seqlens_k total_sequence_length cos_cache? sin_cache? position_ids? "
        "attention_bias? head_sink?",
        "output present_key? present_value? output_qk?",
        "num_heads:int kv_num_heads:int scale:float? softcap:float? local_window_size:int? do_rotary:int? "
        "rotary_interleaved:int? smooth_softmax:int? qk_output:int?"),
    "RotaryEmbedding": ("input position_ids cos_cache sin_cache", "output",
                        "interleaved:int? num_heads:int? rotary_embedding_dim:int? scale:float? is_packed_batching:int?"),
    "MatMulNBits": ("A B scales zero_points? g_idx? bias?", "Y",
                    "K:int N:int bits:int block_size:int accuracy_level:int?"),
}
DEFAULT_DOMAIN_CONTRIB = {"SimplifiedLayerNormalization"}


def camel_case(name: str) -> str:
    head, *rest = name.split("_")
    return (head[:1].lower() + head[1:] if head[1:2].islower() or len(head) == 1 else head) + "".join(
        part[:1].upper() + part[1:] for part in rest)


def set_json_names(types) -> None:
    """protoc fills them in; a descriptor at run time has none."""
    for message in types:
        for field in message.field:
            head, *rest = field.name.split("_")
            field.json_name = head + "".join(part[:1].upper() + part[1:] for part in rest)
        set_json_names(message.nested_type)


def messages() -> str:
    """onnx_pb.ts: what protoc-gen-es writes for onnx.proto, its enums turned into const objects with a union type."""
    file = descriptor_pb2.FileDescriptorProto()
    onnx_ml_pb2.DESCRIPTOR.CopyToProto(file)
    file.name = "onnx.proto"
    set_json_names(file.message_type)
    request = plugin_pb2.CodeGeneratorRequest(
        file_to_generate=["onnx.proto"], parameter="target=ts,import_extension=ts", proto_file=[file])
    run = subprocess.run([ROOT / "node_modules/.bin/protoc-gen-es"], input=request.SerializeToString(),
                         capture_output=True, check=True)
    response = plugin_pb2.CodeGeneratorResponse.FromString(run.stdout)
    assert not response.error, response.error
    (made,) = response.file

    def const_object(match: re.Match) -> str:
        name, body = match.groups()
        entries = re.sub(r"^(\s+\w+) = (-?\d+),", r"\1: \2,", body, flags=re.M)
        return (f"export const {name} = {{{entries}}} as const;\n"
                f"export type {name} = (typeof {name})[keyof typeof {name}];")

    text = re.sub(r"export enum (\w+) \{(.*?\n)\}", const_object, made.content, flags=re.S)
    assert "export enum" not in text
    return text


class Operator:
    """An operator as its TypeScript function needs it. Inputs and outputs: (name, option), option in single/optional/variadic."""

    def __init__(self, name, domain, inputs, outputs, attributes, since, link):
        self.name, self.domain, self.inputs, self.outputs = name, domain, inputs, outputs
        self.attributes, self.since, self.link = attributes, since, link

    def function(self) -> str:
        name = self.name[:1].lower() + self.name[1:]
        lines = [f"/** [{self.name}]({self.link}){self.since} */", f"export function {name}(", "  builder: ModelBuilder,"]
        optional = [n for n, option in self.inputs if option == "optional"]
        variadic_output = self.outputs[0][1] == "variadic"
        attributes_required = variadic_output or any(required for *_, required in self.attributes)
        by_name = len(optional) > 2
        if by_name:
            lines.append("  inputs: {")
            lines += [f"    readonly {camel_case(n)}{'' if option == 'single' else '?'}: OnnxValue"
                      f"{'' if option == 'single' else ' | undefined'};" for n, option in self.inputs]
            lines.append("  },")
        else:
            for n, option in self.inputs:
                kind = {"single": "OnnxValue", "variadic": "readonly OnnxValue[]",
                        "optional": "OnnxValue | undefined"}[option]
                mark = "?" if option == "optional" and not attributes_required else ""
                lines.append(f"  {camel_case(n)}{mark}: {kind if not mark else 'OnnxValue'},")
        if self.attributes:
            lines.append("  attributes: {")
            for n, kind, type_, required in self.attributes:
                lines.append(f"    readonly {camel_case(n)}{'' if required else '?'}: {type_}"
                             f"{'' if required else ' | undefined'};")
            lines.append("  }," if attributes_required else "  } = {},")
        if variadic_output:
            lines.append("  outputs: number,")
        single = len(self.outputs) == 1 and not variadic_output
        result = ("OnnxValue" if single else "readonly OnnxValue[]" if variadic_output else
                  "[" + ", ".join(f"{camel_case(n)}: OnnxValue" for n, _ in self.outputs) + "]")
        lines.append(f"): {result} {{")

        def argument(n, option):
            return ("..." if option == "variadic" else "") + ("inputs." if by_name else "") + camel_case(n)
        count = "outputs" if variadic_output else str(len(self.outputs))
        required = "outputs" if variadic_output else str(sum(option == "single" for _, option in self.outputs))
        lines += ["  return builder.node({", f"    opType: '{self.name}',", f"    domain: '{self.domain}',",
                  f"    inputs: [{', '.join(argument(*i) for i in self.inputs)}],"]
        if self.attributes:
            lines.append("    attributes: [")
            lines += [f"      attribute.{kind}('{n}', attributes.{camel_case(n)})," for n, kind, *_ in self.attributes]
            lines.append("    ],")
        else:
            lines.append("    attributes: [],")
        lines += [f"    outputs: {count},", f"    requiredOutputs: {required},"]
        lines.append("  })" + ("[0] as OnnxValue;" if single else ";" if variadic_output else f" as readonly OnnxValue[] as {result};"))
        lines.append("}")
        return "\n".join(lines)


TYPES = {"int": "number", "float": "number", "string": "string", "ints": "readonly number[]", "dtype": "OnnxDType", "flag": "boolean",
         "floats": "readonly number[]", "strings": "readonly string[]", "tensor": "OnnxTensor"}


def attribute_type(operator: str, name: str, kind: str) -> tuple[str, str]:
    if (operator, name) in DTYPE_ATTRIBUTES:
        kind = "dtype"
    elif kind == "int" and (name in FLAGS or (operator, name) == ("Mod", "fmod")):
        kind = "flag"
    choices = CHOICES.get((operator, name))
    return kind, " | ".join(f"'{choice}'" for choice in choices) if choices else TYPES[kind]


def standard(name: str) -> Operator:
    schema = defs.get_schema(name, OPSET, "")
    assert not schema.deprecated, name

    def arguments(formals):
        return [(formal.name, str(formal.option).split(".")[-1].lower()) for formal in formals]
    attributes = []
    for attribute in sorted(schema.attributes.values(), key=lambda a: a.name):
        kind = str(attribute.type).split(".")[-1].lower()
        if kind == "sparse_tensor":  # Constant's, which nothing here can make
            continue
        attributes.append((attribute.name, *attribute_type(name, attribute.name, kind), attribute.required))
    return Operator(name, "", arguments(schema.inputs), arguments(schema.outputs), attributes,
                    f", opset {schema.since_version}.", f"https://onnx.ai/onnx/operators/onnx__{name}.html")


def contrib(name: str) -> Operator:
    def arguments(text):
        return [(item.rstrip("?"), "optional" if item.endswith("?") else "single") for item in text.split()]
    inputs, outputs, attribute_text = CONTRIB[name]
    attributes = []
    for item in attribute_text.split():
        attribute, kind = item.rstrip("?").split(":")
        attributes.append((attribute, *attribute_type(name, attribute, kind), not item.endswith("?")))
    domain = "" if name in DEFAULT_DOMAIN_CONTRIB else "com.microsoft"
    # SimplifiedLayerNormalization has no entry of its own there; its entry is the one with the skip.
    anchor = "SkipSimplifiedLayerNormalization" if domain == "" else name
    link = f"https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.{anchor}"
    return Operator(name, domain, arguments(inputs), arguments(outputs), attributes, ", ONNX Runtime's own.", link)


def operators() -> str:
    head = f"""// Generated by scripts/generateOnnx.py from the schemas of onnx {onnx_version}, opset {OPSET}. Do not edit.
//
// A left-out optional output is decided by the builder: it is dropped where nothing reads it. Attributes that are left
// out take ONNX's defaults. Operators with more than two optional inputs take their inputs by name.

import * as attribute from './attributes.ts';
import type {{ ModelBuilder, OnnxValue }} from './modelBuilder.ts';
import type {{ OnnxDType, OnnxTensor }} from './onnxTensor.ts';
"""
    made = [standard(name) for name in sorted(OPERATORS)] + [contrib(name) for name in CONTRIB]
    return head + "\n" + "\n\n".join(operator.function() for operator in made) + "\n"


def opset() -> str:
    return f"""// Generated by scripts/generateOnnx.py. Do not edit.

/** Version of ONNX's operators that `operators.gen.ts` was made for. */
export const OPSET: number = {OPSET};

/** Version of the file format that goes with it. */
export const IR_VERSION: number = {IR_VERSION};
"""


if __name__ == "__main__":
    folder = ROOT / "src/onnx"
    (folder / "proto").mkdir(parents=True, exist_ok=True)
    (folder / "proto/onnx_pb.ts").write_text(messages())
    (folder / "operators.gen.ts").write_text(operators())
    (folder / "opset.gen.ts").write_text(opset())
