// The graph of a run: laid out by dagre, drawn by xyflow. A node is a button.
import { graphlib, layout } from "@dagrejs/dagre";
import {
  Background,
  BaseEdge,
  Controls,
  type Edge,
  type EdgeProps,
  Handle,
  MarkerType,
  type Node,
  type NodeProps,
  Position,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
} from "@xyflow/react";
import { memo, useEffect, useMemo, useRef, useState } from "react";
import type { GraphNode, RunGraph } from "../documents";
import { count, tame } from "../format";
import { Phase } from "./small";

const WIDTH = 196;
const HEIGHT = 64;
const TALLEST = 640;
const FIT = { padding: "16px", maxZoom: 1 } as const;
const SIGNS: Record<string, string> = {
  agent: "✦", python: "λ", container: "▣", http: "⇄", approval: "?", wait: "◷", first: "⑂", workflow: "❐",
};

interface Shown extends Record<string, unknown> {
  node: GraphNode;
  chosen: boolean;
  choose: (path: string) => void;
  down: boolean;
}

const Box = memo(({ data }: NodeProps<Node<Shown>>) => {
  const { node, chosen, choose, down } = data;
  return (
    <>
      <Handle type="target" position={down ? Position.Top : Position.Left} isConnectable={false} />
      <button
        type="button"
        className={`box b-${node.phase.toLowerCase()} nopan`}
        aria-pressed={chosen}
        title={tame(node.reason ? `${node.path}: ${node.reason}` : node.path)}
        onClick={() => choose(node.path)}
      >
        <span className="box-name">{tame(node.path)}</span>
        <span className="box-line">
          <span className="kind"><span aria-hidden="true">{SIGNS[node.kind] ?? "·"}</span> {tame(node.kind)}</span>
          <Phase phase={node.phase} />
        </span>
        {node.total !== undefined ? (
          <span className="tries">{count(node.total)} items</span>
        ) : (
          node.attempts > 1 && <span className="tries" title={`${node.attempts} attempts`}>{node.attempts}×</span>
        )}
      </button>
      <Handle type="source" position={down ? Position.Bottom : Position.Right} isConnectable={false} />
    </>
  );
});

/** A line around the boxes, through the points that the layout has found. */
function Line({ sourceX, sourceY, targetX, targetY, data, markerEnd }: EdgeProps<Edge<{ points: Point[]; down: boolean }>>) {
  const inner = (data?.points ?? []).slice(1, -1);
  const all = [{ x: sourceX, y: sourceY }, ...inner, { x: targetX, y: targetY }];
  let path = `M${sourceX},${sourceY}`;
  for (let index = 1; index < all.length; index++) {
    const [from, to] = [all[index - 1] as Point, all[index] as Point];
    // Each piece leaves and arrives in the direction in which the graph runs.
    const [dx, dy] = data?.down ? [0, (to.y - from.y) / 2] : [(to.x - from.x) / 2, 0];
    path += `C${from.x + dx},${from.y + dy} ${to.x - dx},${to.y - dy} ${to.x},${to.y}`;
  }
  return <BaseEdge path={path} markerEnd={markerEnd} />;
}

const TYPES = { box: Box };
const LINES = { line: Line };

interface Point {
  x: number;
  y: number;
}
interface Drawing {
  places: Map<string, Point>;
  lines: Map<string, Point[]>;
  width: number;
  height: number;
}


/** Where everything is. It changes only with the shape of the graph. */
function placed(graph: RunGraph, down: boolean): Drawing {
  if (graph.edges.length === 0) return grid(graph);
  const drawing = new graphlib.Graph();
  drawing.setGraph({ rankdir: down ? "TB" : "LR", nodesep: 20, ranksep: down ? 36 : 48, edgesep: 16 });
  drawing.setDefaultEdgeLabel(() => ({}));
  for (const node of graph.nodes) drawing.setNode(node.path, { width: WIDTH, height: HEIGHT });
  for (const edge of graph.edges) drawing.setEdge(edge.from, edge.to);
  layout(drawing);
  const places = graph.nodes.map((node) => {
    const { x, y } = drawing.node(node.path) as Point;
    return [node.path, { x: x - WIDTH / 2, y: y - HEIGHT / 2 }] as const;
  });
  const lines = graph.edges.map((edge) => {
    const found = drawing.edge(edge.from, edge.to) as { points?: Point[] } | undefined;
    return [`${edge.from}>${edge.to}`, found?.points ?? []] as const;
  });
  const size = drawing.graph() as { width?: number; height?: number };
  return { places: new Map(places), lines: new Map(lines), width: size.width ?? 0, height: size.height ?? 0 };
}

/** Nodes without lines between them: rows of boxes. */
function grid(graph: RunGraph): Drawing {
  const columns = Math.min(Math.ceil(Math.sqrt(graph.nodes.length)), 6);
  const [wide, high] = [WIDTH + 20, HEIGHT + 20];
  const places = graph.nodes.map(
    (node, at) => [node.path, { x: (at % columns) * wide, y: Math.floor(at / columns) * high }] as const,
  );
  const rows = Math.ceil(graph.nodes.length / columns);
  return { places: new Map(places), lines: new Map(), width: columns * wide - 20, height: rows * high - 20 };
}

interface Props {
  graph: RunGraph;
  chosen: string;
  choose: (path: string) => void;
}

export default function Graph({ graph, chosen, choose }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const watcher = new ResizeObserver(([entry]) => setWidth(Math.round(entry?.contentRect.width ?? 0)));
    if (frame.current) watcher.observe(frame.current);
    return () => watcher.disconnect();
  }, []);
  const shape = JSON.stringify([graph.nodes.map((node) => node.path), graph.edges]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: positions depend on the shape only
  const [across, downwards] = useMemo(() => [placed(graph, false), placed(graph, true)], [shape]);
  const room = Math.max(width - 32, 1);
  const zoom = (one: Drawing, most: number) => Math.min(1, room / Math.max(one.width, 1), most / Math.max(one.height, 1));
  // The direction in which texts are larger; from left to right if it hardly matters.
  const down = zoom(downwards, TALLEST) > 1.15 * zoom(across, TALLEST);
  const drawing = down ? downwards : across;
  const height = Math.min(Math.max(drawing.height * zoom(drawing, TALLEST) + 40, 200), TALLEST + 40);
  return (
    <>
      <div className="graph" role="group" aria-label="Graph of the run" ref={frame} style={{ height }}>
        {width > 0 && (
          <ReactFlowProvider>
            <Flow graph={graph} chosen={chosen} choose={choose} drawing={drawing} down={down} size={`${width} ${height}`} />
          </ReactFlowProvider>
        )}
      </div>
      <p className="dim small">
        A solid line waits for the success of a node, a dashed one for its end. {graph.note && tame(graph.note)}
      </p>
    </>
  );
}

interface Kept {
  source: GraphNode;
  drawing: Drawing;
  made: Node<Shown>;
}

/** The boxes. Those that have not changed are the same objects as before, and are not drawn again. */
function useBoxes({ graph, chosen, choose, drawing, down }: Props & { drawing: Drawing; down: boolean }): Node<Shown>[] {
  const kept = useRef(new Map<string, Kept>());
  const next = new Map<string, Kept>();
  const nodes = graph.nodes.map((node) => {
    const known = kept.current.get(node.path);
    const old = known?.made.data;
    const same =
      known?.source === node && known.drawing === drawing && old?.down === down &&
      old.chosen === (node.path === chosen) && old.choose === choose;
    const made: Node<Shown> = same ? known.made : {
      id: node.path,
      type: "box",
      position: drawing.places.get(node.path) ?? { x: 0, y: 0 },
      data: { node, chosen: node.path === chosen, choose, down },
      width: WIDTH,
      height: HEIGHT,
    };
    next.set(node.path, { source: node, drawing, made });
    return made;
  });
  kept.current = next;
  return nodes;
}

function Flow({ graph, chosen, choose, drawing, down, size }: Props & { drawing: Drawing; down: boolean; size: string }) {
  const flow = useReactFlow();
  // biome-ignore lint/correctness/useExhaustiveDependencies: fits again when the frame or the shape changes
  useEffect(() => {
    const later = requestAnimationFrame(() => flow.fitView(FIT));
    return () => cancelAnimationFrame(later);
  }, [size, drawing]);
  const nodes = useBoxes({ graph, chosen, choose, drawing, down });
  const edges: Edge[] = useMemo(
    () =>
      graph.edges.map((edge) => ({
        id: `${edge.kind}:${edge.from}:${edge.to}`,
        type: "line",
        source: edge.from,
        target: edge.to,
        data: { points: drawing.lines.get(`${edge.from}>${edge.to}`) ?? [], down },
        className: edge.kind === "hard" ? "edge" : "edge soft",
        markerEnd: { type: MarkerType.ArrowClosed, color: "var(--edge)" },
        focusable: false,
      })),
    [graph.edges, drawing, down],
  );
  return (
    <ReactFlow
      nodes={nodes}
      edges={edges}
      nodeTypes={TYPES}
      edgeTypes={LINES}
      fitView
      fitViewOptions={FIT}
      minZoom={0.1}
      maxZoom={1.5}
      nodesDraggable={false}
      nodesConnectable={false}
      nodesFocusable={false}
      edgesFocusable={false}
      elementsSelectable={false}
      zoomOnScroll={false}
      panOnScroll={false}
      preventScrolling={false}
      onlyRenderVisibleElements={graph.nodes.length > 100}
      proOptions={{ hideAttribution: true }}
    >
      <Background gap={20} />
      <Controls showInteractive={false} orientation="horizontal" position="bottom-right" />
    </ReactFlow>
  );
}
