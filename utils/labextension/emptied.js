// A progress bar leaves an output without anything in it: gone when its cell has ended, from the page and from the file.

export function dropEmptied({ isDisposed, model: { outputs } }) {
  if (isDisposed) return;
  const said = outputs.toJSON();
  const left = said.filter(({ data }) => !data || Object.keys(data).length > 0);
  if (left.length < said.length) outputs.fromJSON(left);
}
