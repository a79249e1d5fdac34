// Who the user is and what the user may do, in a namespace or in what the server shows.
import { useQuery } from "@tanstack/react-query";
import { api } from "../api";

export function useMe(namespace = "") {
  return useQuery({ queryKey: ["me", namespace], queryFn: () => api.me(namespace) });
}
