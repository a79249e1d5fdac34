// Numbers and times as text.
import { chosenZone } from "./zone";

export function duration(seconds: number | undefined | null): string {
  if (seconds === undefined || seconds === null) return "–";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  const [days, hours, minutes] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return `${minutes} min ${whole % 60} s`;
}

export function between(start?: string, end?: string): number | undefined {
  if (!start) return undefined;
  const seconds = ((end ? Date.parse(end) : Date.now()) - Date.parse(start)) / 1000;
  return Number.isFinite(seconds) ? Math.max(seconds, 0) : undefined;
}

export function ago(time?: string): string {
  const seconds = between(time);
  if (seconds === undefined) return "–";
  if (seconds < 5) return "now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

export function until(time?: string): string {
  if (!time) return "";
  const seconds = (Date.parse(time) - Date.now()) / 1000;
  if (!Number.isFinite(seconds)) return "";
  return seconds > 0 ? `in ${duration(seconds)}` : `${duration(-seconds)} ago`;
}

export function absolute(time?: string): string {
  const at = time ? Date.parse(time) : Number.NaN;
  if (!Number.isFinite(at)) return "";
  if (chosenZone() === "utc") return `${new Date(at).toISOString().replace("T", " ").slice(0, 19)} UTC`;
  // Swedish times are written as ISO 8601 has them.
  return new Date(at).toLocaleString("sv-SE", { timeZoneName: "short" });
}

export function count(value?: number | null): string {
  return value === undefined || value === null ? "–" : value.toLocaleString("en-US");
}

export function money(value?: string | null, estimated?: boolean): string {
  const amount = value ? Number(value) : Number.NaN;
  if (!Number.isFinite(amount)) return "–";
  const digits = amount >= 1 ? 2 : 4;
  return `${estimated ? "≈ " : ""}$${amount.toFixed(digits)}`;
}

/** Text without characters that change the direction or the meaning of what is around it. */
export function tame(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

export function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}
